#!/usr/bin/python3
"""How well near sameness tells copies from other pictures (src/image/hash.c).

Makes pictures: four layouts with 600 different Chinese texts each, and others of
many kinds; then copies of some of them (recompressed, resized, converted, lightly
watermarked). Prints how many copies are recognised, and how many different
pictures are taken for copies, also by the coarse hash alone. Exit status 1 where of a
kind of copies less than 99 % are recognised (grey ones are not counted: a grey version is
another picture), or over 0.1 % of the different pictures taken for copies.

Needs python3-pil, python3-numpy, fonts-noto-cjk, and build/image_hash (make
build/image_hash). The same seed draws the same pictures.
"""

import argparse
import collections
import io
import math
import random
import struct
import subprocess
import sys

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
BOLD = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"
SAME_COARSE, SAME_FINE, SAME_COLOUR = 8, 20, 10  # src/image/image.h
LEAST_RECOGNISED, MOST_WRONG = 0.99, 0.001

CHARACTERS = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学"
    "法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外"
    "天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很"
    "情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她"
    "手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思"
)

_fonts = {}


def font(size, bold=False):
    key = (size, bold)
    if key not in _fonts:
        _fonts[key] = ImageFont.truetype(BOLD if bold else FONT, size)
    return _fonts[key]


def words(dice, least, most):
    return "".join(dice.choice(CHARACTERS) for _ in range(dice.randint(least, most)))


# Layouts: the same page each time, with other words.


def menu(dice):
    page = Image.new("RGB", (600, 800), (250, 244, 230))
    draw = ImageDraw.Draw(page)
    draw.rectangle((20, 20, 580, 780), outline=(150, 40, 30), width=4)
    draw.text((300, 70), words(dice, 4, 6), (150, 40, 30), font(48, True), anchor="mm")
    for row in range(14):
        y = 140 + row * 44
        draw.text((60, y), words(dice, 3, 7), (40, 30, 20), font(26))
        draw.text((540, y), f"{dice.randint(8, 128)}元", (150, 40, 30), font(26), anchor="ra")
    return page


def chat(dice):
    page = Image.new("RGB", (540, 960), (237, 237, 237))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 540, 70), fill=(247, 247, 247))
    draw.text((270, 36), words(dice, 2, 5), (20, 20, 20), font(28), anchor="mm")
    y = 100
    for turn in range(9):
        mine = turn % 2 == 1
        text = words(dice, 4, 14)
        width = 30 + 24 * len(text)
        left = 540 - 80 - width if mine else 80
        draw.rectangle((480 if mine else 20, y, 520 if mine else 60, y + 44), fill=(90, 120, 160) if mine else (170, 130, 90))
        draw.rounded_rectangle((left, y, left + width, y + 50), 8, fill=(149, 236, 105) if mine else (255, 255, 255))
        draw.text((left + 15, y + 8), text, (20, 20, 20), font(24))
        y += 90
    return page


def article(dice):
    page = Image.new("RGB", (720, 960), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    draw.text((50, 60), words(dice, 10, 16), (10, 10, 10), font(38, True))
    draw.text((50, 120), f"{words(dice, 3, 4)}  2024-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}", (140, 140, 140), font(20))
    y = 180
    while y < 900:
        for _ in range(dice.randint(3, 6)):
            draw.text((50, y), words(dice, 22, 24), (40, 40, 40), font(25))
            y += 38
        y += 22
    return page


def slide(dice):
    page = Image.new("RGB", (960, 540), (28, 58, 112))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 960, 90), fill=(20, 40, 84))
    draw.text((40, 20), words(dice, 6, 12), (255, 255, 255), font(44, True))
    for row in range(6):
        y = 140 + row * 62
        draw.ellipse((50, y + 12, 66, y + 28), fill=(255, 200, 60))
        draw.text((90, y), words(dice, 8, 20), (230, 236, 246), font(32))
    draw.text((920, 510), str(dice.randint(1, 60)), (160, 180, 210), font(20), anchor="ra")
    return page


LAYOUTS = (menu, chat, article, slide)

# Others: each kind draws a different picture each time.


def colour(dice, low=0, high=255):
    return tuple(dice.randint(low, high) for _ in range(3))


def cloud(dice, width, height, octaves=5):
    """Noise of all sizes: what photographs are like to a transform."""
    numbers = numpy.random.default_rng(dice.getrandbits(32))
    total = numpy.zeros((height, width, 3))
    for octave in range(octaves):
        n = 3 * 2**octave
        grain = numbers.integers(0, 256, (n, n, 3)).astype("uint8")
        grown = Image.fromarray(grain).resize((width, height), Image.BICUBIC)
        total += numpy.asarray(grown, float) / 1.7**octave
    total -= total.min()
    return Image.fromarray((total * 255 / total.max()).astype("uint8"))


def photo(dice):
    return cloud(dice, dice.choice((480, 640, 800)), dice.choice((480, 600)), dice.randint(4, 6))


def landscape(dice):
    width, height = 800, 560
    page = cloud(dice, width, height, 3).point(lambda v: v // 4 + 150)
    draw = ImageDraw.Draw(page)
    for layer in range(dice.randint(2, 5)):
        base = 180 + layer * dice.randint(50, 90)
        points = [(0, height)]
        y = base
        for x in range(0, width + 40, 40):
            y += dice.randint(-30, 30)
            points.append((x, y))
        draw.polygon(points + [(width, height)], fill=colour(dice, 10, 190))
    if dice.random() < 0.6:
        x, y, r = dice.randint(60, 740), dice.randint(40, 160), dice.randint(20, 60)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour(dice, 180, 255))
    return page


def goods(dice):
    """A thing on white, as shops show it."""
    page = Image.new("RGB", (600, 600), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    for _ in range(dice.randint(2, 6)):
        x, y = dice.randint(120, 480), dice.randint(120, 480)
        w, h = dice.randint(40, 220), dice.randint(40, 220)
        box = (x - w, y - h, x + w, y + h)
        shape = dice.choice((draw.rectangle, draw.ellipse))
        shape(tuple(min(max(v, 40), 560) for v in box), fill=colour(dice))
    return page.filter(ImageFilter.GaussianBlur(dice.uniform(0, 2)))


def chart(dice):
    page = Image.new("RGB", (800, 500), (255, 255, 255))
    draw = ImageDraw.Draw(page)
    draw.text((400, 40), words(dice, 6, 12), (30, 30, 30), font(32, True), anchor="mm")
    n = dice.randint(4, 14)
    fill = colour(dice, 30, 220)
    for i in range(n):
        top = dice.randint(90, 420)
        left = 60 + i * 700 // n
        draw.rectangle((left, top, left + 500 // n, 440), fill=fill)
        draw.text((left, 450), words(dice, 2, 3), (60, 60, 60), font(16))
    return page


def poster(dice):
    page = cloud(dice, 500, 750, 2)
    draw = ImageDraw.Draw(page)
    for _ in range(dice.randint(1, 4)):
        size = dice.choice((32, 48, 72, 96))
        draw.text((dice.randint(10, 250), dice.randint(10, 650)), words(dice, 2, 8), colour(dice), font(size, True))
    for _ in range(dice.randint(0, 5)):
        x, y, r = dice.randint(0, 500), dice.randint(0, 750), dice.randint(10, 120)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=colour(dice), width=dice.randint(2, 20))
    return page


def waves(dice):
    y, x = numpy.mgrid[0:480, 0:640] / 100.0
    planes = []
    for _ in range(3):
        a, b, c, d = (dice.uniform(-3, 3) for _ in range(4))
        planes.append(numpy.sin(a * x + b * y + c) + numpy.cos(d * x * y / 3 + a))
    stack = numpy.stack(planes, axis=2)
    return Image.fromarray(((stack + 2) * 63).astype("uint8"))


def crowd(dice):
    page = Image.new("RGB", (640, 480), colour(dice, 60, 200))
    draw = ImageDraw.Draw(page)
    for _ in range(dice.randint(15, 80)):
        x, y = dice.randint(-40, 640), dice.randint(-40, 480)
        w, h = dice.randint(10, 160), dice.randint(10, 160)
        dice.choice((draw.rectangle, draw.ellipse))((x, y, x + w, y + h), fill=colour(dice))
    return page


OTHERS = (photo, landscape, goods, chart, poster, waves, crowd)


def encoded(page, kind="JPEG", **options):
    out = io.BytesIO()
    if kind == "JPEG":
        options.setdefault("quality", 90)
    page.save(out, kind, **options)
    return out.getvalue()


def scaled(page, factor):
    width, height = (max(16, round(side * factor)) for side in page.size)
    return page.resize((width, height), Image.LANCZOS)


def watermarked(page, dice):
    layer = Image.new("RGBA", page.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    size = max(14, page.width // 24)
    text = words(dice, 6, 8)
    draw.text((page.width - 10, page.height - 10), text, (255, 255, 255, 110), font(size), anchor="rs",
              stroke_width=1, stroke_fill=(0, 0, 0, 70))
    return Image.alpha_composite(page.convert("RGBA"), layer).convert("RGB")


def copies(page, dice):
    """What happens to pictures on their way through the web."""
    yield from ((f"JPEG {q}", encoded(page, quality=q)) for q in (30, 50, 70, 95))
    yield from ((f"size {f}", encoded(scaled(page, f), quality=85)) for f in (0.3, 0.5, 0.75, 1.5, 2))
    yield "progressive", encoded(page, quality=80, progressive=True)
    yield "PNG", encoded(page, "PNG", compress_level=1)
    yield "WebP 60", encoded(page, "WEBP", quality=60, method=1)
    colours = page.quantize(256)
    yield "GIF", encoded(page.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG), "GIF")
    yield "grey", encoded(page.convert("L"))
    yield "watermark", encoded(watermarked(page, dice), quality=85)
    yield "half, JPEG 40", encoded(scaled(page, 0.5), quality=40)


class Hasher:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def hash(self, data):
        self.process.stdin.write(struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode().split()
        if line[0] == "!":
            raise SystemExit(" ".join(line))
        return tuple(bytes.fromhex(part) for part in line) if line[0] != "-" else None


def distances(part, parts):
    """Bits in which one differs from each of the others."""
    different = numpy.bitwise_xor(parts, part)
    return numpy.unpackbits(different, axis=1).sum(axis=1)


def compare(one, many):
    coarse = distances(one[0], many[0])
    fine = distances(one[1], many[1])
    colours = numpy.abs(many[2].astype(int) - one[2].astype(int)).max(axis=1)
    return coarse, fine, colours


def as_arrays(hashes):
    return [numpy.array([numpy.frombuffer(h[i], "uint8") for h in hashes]) for i in range(3)]


def report_copies(pages, hasher, dice):
    found, total, far = collections.Counter(), collections.Counter(), collections.defaultdict(int)
    missed = collections.Counter()
    for name, page in pages:
        original = hasher.hash(encoded(page))
        for how, data in copies(page, dice):
            copy = hasher.hash(data)
            total[how] += 1
            if original is None or copy is None:
                missed[name] += how != "grey"
                continue
            coarse, fine, colours = (d[0] for d in compare(as_arrays([original]) and [p[0] for p in as_arrays([original])], as_arrays([copy])))
            same = coarse <= SAME_COARSE and fine <= SAME_FINE and (colours <= SAME_COLOUR or how == "grey")
            found[how] += bool(same)
            missed[name] += not same and how != "grey"
            far[how] = max(far[how], int(fine))
    print(f"copies of {len(pages)} pictures recognised:")
    for how in total:
        print(f"  {how:14} {100 * found[how] / total[how]:6.2f} %   farthest {far[how]}")
    counted = [how for how in total if how != "grey"]
    share = 100 * sum(found[h] for h in counted) / sum(total[h] for h in counted)
    print(f"  {'all but grey':14} {share:6.2f} %;  missed, by kind: {dict(missed.most_common(6))}")
    return all(found[how] >= LEAST_RECOGNISED * total[how] for how in counted)


def report_others(kinds, hashes):
    """Each picture is held against all that came before it."""
    arrays = as_arrays(hashes)
    names = collections.Counter(kinds)
    coarse_only, fine_too, wrong, nearest = (collections.Counter() for _ in range(4))
    for kind in names:
        nearest[kind] = 256
    for i in range(1, len(hashes)):
        before = [a[:i] for a in arrays]
        coarse, fine, colours = compare([a[i] for a in arrays], before)
        near = coarse <= SAME_COARSE
        coarse_only[kinds[i]] += bool((coarse <= 6).any())
        fine_too[kinds[i]] += bool((near & (fine <= SAME_FINE)).any())
        wrong[kinds[i]] += bool((near & (fine <= SAME_FINE) & (colours <= SAME_COLOUR)).any())
        nearest[kinds[i]] = min(nearest[kinds[i]], int(fine.min()))
    print(f"\n{len(hashes)} different pictures, share taken for copies:")
    print(f"  {'':10} {'pictures':>8} {'64 bits <= 6':>13} {'both':>8} {'and colours':>12} {'nearest':>8}")
    for kind, n in names.items():
        print(f"  {kind:10} {n:8} {100 * coarse_only[kind] / n:11.2f} % {100 * fine_too[kind] / n:6.2f} %"
              f" {100 * wrong[kind] / n:10.3f} % {nearest[kind]:8}")
    print(f"  all        {len(hashes):8} {100 * sum(coarse_only.values()) / len(hashes):11.2f} %"
          f" {100 * sum(fine_too.values()) / len(hashes):6.2f} % {100 * sum(wrong.values()) / len(hashes):10.3f} %")
    return sum(wrong.values()) <= MOST_WRONG * len(hashes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=600, help="pictures of each layout")
    parser.add_argument("--others", type=int, default=10000, help="other pictures")
    parser.add_argument("--copied", type=int, default=330, help="pictures of which copies are made")
    parser.add_argument("--seed", type=int, default=0, help="other pictures of the same kinds")
    parser.add_argument("--program", default="build/image_hash")
    arguments = parser.parse_args()
    hasher = Hasher(arguments.program)

    dice = random.Random(5 + arguments.seed)
    kinds = LAYOUTS + OTHERS
    pages = [(kinds[i % len(kinds)].__name__, kinds[i % len(kinds)](dice)) for i in range(arguments.copied)]
    held = report_copies(pages, hasher, dice)

    dice = random.Random(600 + arguments.seed)
    names, hashes = [], []
    jobs = [layout for layout in LAYOUTS for _ in range(arguments.texts)]
    jobs += [OTHERS[i % len(OTHERS)] for i in range(arguments.others)]
    for draw in jobs:
        found = hasher.hash(encoded(draw(dice)))
        if found is not None:
            names.append(draw.__name__)
            hashes.append(found)
    held &= report_others(names, hashes)
    sys.exit(not held)


if __name__ == "__main__":
    main()
