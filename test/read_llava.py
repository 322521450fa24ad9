#!/usr/bin/python3
"""Reads exported LLaVA JSONL and tells which lines a trainer would choke on.

Written apart from the extension, with nothing but a JSON parser: what it says of a
file is not the exporter's own opinion. Exit status 1 if any line fails, or if there
is none.
"""

import argparse
import json
import pathlib
import re
import sys

IMAGE = "<image>"
ROLES = ("human", "gpt")
SPECIAL = re.compile(
    r"<\|[^<>|\n]*\|>|</?(?:video|audio|image|im_start|im_end|img|box|ref|quad|think|s|unk|pad)>", re.I
)
SURROGATE = re.compile("[\ud800-\udfff]")


class Fault(Exception):
    """Why a line is no good."""


def expect(truth, why):
    if not truth:
        raise Fault(why)


def object_without_repeats(pairs):
    keys = [key for key, _ in pairs]
    expect(len(set(keys)) == len(keys), "a key occurs twice in one object")
    return dict(pairs)


def no_constant(name):
    raise Fault("%s is not JSON" % name)


def parse(raw):
    """One line's bytes, without the newline, as an object."""
    expect(not raw.startswith(b"\xef\xbb\xbf"), "starts with a byte order mark")
    expect(b"\r" not in raw, "holds a carriage return")
    expect(raw.strip(), "is empty")
    try:
        sample = json.loads(
            raw.decode("utf-8"), object_pairs_hook=object_without_repeats, parse_constant=no_constant
        )
    except UnicodeDecodeError as error:
        raise Fault("is not UTF-8 at byte %d" % (error.start + 1)) from error
    except ValueError as error:
        raise Fault("is not JSON: %s" % error) from error
    except RecursionError as error:
        raise Fault("is nested too deeply") from error
    expect(isinstance(sample, dict), "is not an object")
    return sample


def check_text(name, value):
    expect(isinstance(value, str), "%s is not a string" % name)
    expect(value.strip(), "%s is empty" % name)
    expect("\0" not in value, "%s holds U+0000" % name)
    expect(not SURROGATE.search(value), "%s holds a lone surrogate" % name)


def check_turns(turns):
    expect(isinstance(turns, list), "conversations is not an array")
    expect(turns, "conversations is empty")
    expect(len(turns) % 2 == 0, "the number of turns is odd")
    for i, turn in enumerate(turns):
        name = "turn %d" % (i + 1)
        expect(isinstance(turn, dict) and set(turn) == {"from", "value"}, name + " is not from and value")
        expect(turn["from"] == ROLES[i % 2], "%s is not from %s" % (name, ROLES[i % 2]))
        value = turn["value"]
        check_text(name, value)
        if i == 0:
            expect(value.startswith(IMAGE + "\n"), "turn 1 does not start with %s and a newline" % IMAGE)
            value = value[len(IMAGE) :]
            expect(value.strip(), "turn 1 asks nothing")
        expect(IMAGE not in value, "%s holds %s" % (name, IMAGE))
        special = SPECIAL.search(value)
        expect(not special, "%s holds the special token %s" % (name, special and special.group()))


def check_image(image, folder):
    parts = pathlib.PurePosixPath(image).parts
    expect(not image.startswith("/") and ".." not in parts, "image is not a path within the images' folder")
    if folder is not None:
        expect((folder / image).is_file(), "image %s is not there" % image)


def check_line(raw, folder, seen):
    """Raises Fault; seen holds the ids and the images of the lines before."""
    sample = parse(raw)
    for key in ("id", "image"):
        expect(key in sample, "has no %s" % key)
        check_text(key, sample[key])
    expect("conversations" in sample, "has no conversations")
    check_turns(sample["conversations"])
    check_image(sample["image"], folder)
    for key in ("id", "image"):
        expect(sample[key] not in seen[key], "%s %s occurred before" % (key, sample[key]))
        seen[key].add(sample[key])


def check_file(data, folder):
    """How many lines there are, and what is wrong with some: (line number, why)."""
    lines = data.split(b"\n")
    unfinished = lines.pop()
    faults = []
    seen = {"id": set(), "image": set()}
    if unfinished:
        lines.append(unfinished)
    for number, raw in enumerate(lines, 1):
        try:
            check_line(raw, folder, seen)
            expect(number < len(lines) or not unfinished, "does not end with a newline")
        except Fault as fault:
            faults.append((number, str(fault)))
    return len(lines), faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path, help="JSONL, a sample a line")
    parser.add_argument(
        "--images", type=pathlib.Path, metavar="DIR", help="also see that each sample's image is in DIR"
    )
    arguments = parser.parse_args()
    lines, faults = check_file(arguments.file.read_bytes(), arguments.images)
    for number, why in faults:
        print("line %d: %s" % (number, why))
    print("%d of %d valid for LLaVA" % (lines - len(faults), lines))
    sys.exit(1 if faults or lines == 0 else 0)


if __name__ == "__main__":
    main()
