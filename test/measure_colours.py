#!/usr/bin/python3
"""Measures the main colours of pictures and compares with what was said of them.

The simulated endpoint states each picture's main colour in fixed words; this finds
it again from the original files, with another decoder and other code. The rule is
the one in test/endpoint/look.h. The endpoint saw the picture resized and compressed,
so where a change of a few units in each pixel would give another colour the most
pixels, that colour is right too, and is counted as close.

Without a file of samples: lists each picture's colours. Exit status 1 if something stated is
wrong or cannot be compared, or if there is nothing to compare.
"""

import argparse
import collections
import itertools
import json
import pathlib
import re
import sys

from PIL import Image, ImageOps

SIDE = 64
SLACK = 6  # units by which a pixel may differ once the picture was resized and compressed
STATED = re.compile(r"主色调是“([^”]+)”|main colour is \"([^\"]+)\"", re.I)
NAMES = {
    "black": "黑色",
    "white": "白色",
    "grey": "灰色",
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "cyan": "青色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
}
ORDER = {name: i for i, name in enumerate(NAMES.values())}


def hue(red, green, blue, high, spread):
    """HSV's, in degrees."""
    if high == red:
        return 60 * (green - blue) / spread % 360
    if high == green:
        return 60 * (blue - red) / spread + 120
    return 60 * (red - green) / spread + 240


def colour(red, green, blue):
    """A pixel's colour, by its English name."""
    high = max(red, green, blue)
    spread = high - min(red, green, blue)
    if high < 56:
        return "black"
    if spread < 28 or spread / high < 0.14:
        return "white" if high >= 200 else "grey"
    angle = hue(red, green, blue, high, spread)
    if (angle >= 300 or angle < 16) and spread / high < 0.5 and high >= 170:
        return "pink"
    if 300 <= angle < 340 and high >= 120:
        return "pink"
    if angle < 16 or angle >= 340:
        return "red"
    if angle < 45:
        return "brown" if high < 160 else "orange"
    for end, name in ((70, "yellow"), (165, "green"), (195, "cyan"), (260, "blue")):
        if angle < end:
            return name
    return "purple"


def upright_rgb(path):
    """The picture as it is to be looked at, on white where it is transparent."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def thumbnail(picture):
    longer = max(picture.size)
    if longer <= SIDE:
        return picture
    sides = [max(1, int(side * SIDE / longer + 0.5)) for side in picture.size]
    return picture.resize(sides, Image.Resampling.BOX)


def near(pixel):
    """The pixel, and what it may have become."""
    yield pixel
    for step in itertools.product((-SLACK, SLACK), repeat=3):
        yield tuple(min(255, max(0, value + by)) for value, by in zip(pixel, step))


class Measured:
    """How many pixels of a picture have each colour."""

    def __init__(self, path):
        self.count = collections.Counter()  # as they are
        self.sure = collections.Counter()  # whatever happened to them
        self.possible = collections.Counter()  # if it happened to them
        pixels = collections.Counter(thumbnail(upright_rgb(path)).getdata())
        for pixel, number in pixels.items():
            names = [NAMES[colour(*other)] for other in near(pixel)]
            self.count[names[0]] += number
            for name in set(names):
                self.possible[name] += number
            if len(set(names)) == 1:
                self.sure[names[0]] += number
        self.ranked = sorted(self.count, key=lambda name: (-self.count[name], ORDER[name]))
        self.main = self.ranked[0]

    def may_be(self, name):
        """Whether this colour may have had the most pixels."""
        others = [number for other, number in self.sure.items() if other != name]
        return self.possible[name] * 1.1 >= max(others, default=0) and self.possible[name] > 0

    def shares(self):
        pixels = sum(self.count.values())
        return ["%s %.0f%%" % (name, self.count[name] * 100 / pixels) for name in self.ranked[:3]]


def stated_colour(sample):
    """What the answers say, as a Chinese name; raises ValueError where they do not."""
    found = set()
    for turn in sample["conversations"]:
        if turn["from"] == "gpt":
            found.update(match.group(1) or match.group(2).lower() for match in STATED.finditer(turn["value"]))
    names = {NAMES.get(name, name) for name in found}
    if not names:
        raise ValueError("states no main colour")
    if len(names) > 1:
        raise ValueError("states several: " + "、".join(sorted(names)))
    return names.pop()


def compare(sample, folder):
    """Whether it was close; raises ValueError where what is stated is not so."""
    stated = stated_colour(sample)
    try:
        measured = Measured(folder / sample["image"])
    except OSError as error:
        raise ValueError("cannot be opened: %s" % error) from error
    if stated == measured.main:
        return False
    if measured.may_be(stated):
        return True
    raise ValueError("stated %s, measured %s" % (stated, ", ".join(measured.shares())))


def compare_all(lines, folder):
    """True if everything agrees."""
    agreed = close = 0
    for line in lines:
        sample = json.loads(line)
        try:
            close += compare(sample, folder)
            agreed += 1
        except ValueError as error:
            print("%s: %s" % (sample["image"], error))
    print(
        "main colour stated = main colour measured here: %d of %d" % (agreed, len(lines))
        + (" (%d of them close)" % close if close else "")
    )
    return agreed == len(lines) > 0


def list_all(folder):
    """True if there was something to list."""
    listed = 0
    for path in sorted(folder.iterdir()):
        try:
            measured = Measured(path)
        except OSError:
            continue
        listed += 1
        print("%-20s %s" % (path.name, ", ".join(measured.shares())))
    return listed > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path, nargs="?", help="LLaVA JSONL, a sample a line")
    parser.add_argument(
        "--images", type=pathlib.Path, metavar="DIR", required=True, help="where the original pictures are"
    )
    arguments = parser.parse_args()
    if arguments.file is None:
        sys.exit(not list_all(arguments.images))
    lines = [line for line in arguments.file.read_bytes().split(b"\n") if line.strip()]
    sys.exit(not compare_all(lines, arguments.images))


if __name__ == "__main__":
    main()
