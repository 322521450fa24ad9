"""fit.py FOLDER: how true the prepared picture is, beside Pillow's and vipsthumbnail's.

Three references, each made of the full decode in floating point: the mean of each
pixel's area (Pillow's BOX), Pillow's LANCZOS, and the ideal low-pass filter (as many
cosines as the result has pixels).  Every party writes a JPEG of quality 85, 4:2:0.
The prepared picture's mean over the three may be 0.5 dB under that of Pillow's
LANCZOS and of vipsthumbnail, not more.
"""
import pathlib
import sys

import numpy
from PIL import Image, ImageDraw

from pictures import PICTURE, psnr, run, saved, scene

MARGIN = 0.5
MAX_PIXELS = 1280 * 28 * 28
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def page(width, height):
    """Lines and small shapes with sharp edges, as text has them, in colour on white."""
    random = numpy.random.default_rng(3)
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    inks = ("black", "black", "black", (180, 20, 30), (20, 60, 160))
    cell = 36
    for y in range(cell, height - cell, cell + 14):
        for x in range(cell, width - cell, cell + 4):
            ink = inks[random.integers(len(inks))]
            for _ in range(6):
                ends = [int(v) for v in random.integers(2, cell - 2, 3)]
                if random.integers(2):
                    draw.line((x + ends[0], y + ends[2], x + ends[1], y + ends[2]), ink, 3)
                else:
                    draw.line((x + ends[2], y + ends[0], x + ends[2], y + ends[1]), ink, 3)
    return picture


def bands(picture, size, kernel):
    levels = numpy.asarray(picture, numpy.float32)
    return numpy.stack([numpy.asarray(Image.fromarray(levels[..., c]).resize(size, kernel)) for c in range(3)], -1)


def low_pass(levels, size, axis):
    """Cosines over the length of an axis, the first size of them summed at size places."""
    levels = numpy.moveaxis(levels, axis, 0)
    length = levels.shape[0]
    spectrum = numpy.fft.rfft(numpy.concatenate([levels, levels[::-1]]), axis=0)[:size]
    turn = numpy.pi * numpy.arange(size) * (0.5 / size - 0.5 / length)
    spectrum = spectrum * numpy.exp(1j * turn)[:, None, None]
    result = numpy.fft.irfft(spectrum, 2 * size, axis=0)[:size] * size / length
    return numpy.moveaxis(result, 0, axis)


def references(picture, size):
    levels = numpy.asarray(picture, numpy.float64)
    return [bands(picture, size, Image.BOX), bands(picture, size, Image.LANCZOS),
            numpy.clip(low_pass(low_pass(levels, size[1], 0), size[0], 1), 0, 255)]


def drafted(path, size, kernel):
    picture = Image.open(path)
    picture.draft("RGB", size)
    return picture.resize(size, kernel)


def parties(path, picture):
    """The prepared picture first: it decides on the size."""
    run(PICTURE, "prepare", path, folder / "prepared.jpg", MAX_PIXELS, 85, "420")
    prepared = Image.open(folder / "prepared.jpg").convert("RGB")
    size = prepared.size
    run("vipsthumbnail", path, "-s", "%dx%d!" % size, "-o",
        str((folder / "vips.jpg").absolute()) + "[Q=85,subsample_mode=on]")
    options = {"quality": 85, "subsampling": "4:2:0"}
    return {"llava_zh": prepared,
            "Pillow LANCZOS": saved(picture.resize(size, Image.LANCZOS), **options),
            "vipsthumbnail": Image.open(folder / "vips.jpg").convert("RGB"),
            "Pillow draft, LANCZOS": saved(drafted(path, size, Image.LANCZOS), **options),
            "Pillow draft, BOX": saved(drafted(path, size, Image.BOX), **options),
            "Pillow BOX": saved(picture.resize(size, Image.BOX), **options)}


def check(name, picture, **options):
    path = folder / name
    picture.save(path, **options)
    picture = Image.open(path).convert("RGB")
    results = parties(path, picture)
    wanted = references(picture, results["llava_zh"].size)
    print(f"# {name}, {picture.size[0]} x {picture.size[1]} to {wanted[0].shape[1]} x {wanted[0].shape[0]}"
          f": dB to the area's mean, to LANCZOS, to the low-pass filter")
    means = {}
    for party, result in results.items():
        found = [psnr(result, reference) for reference in wanted]
        means[party] = sum(found) / len(found)
        print(f"#   {party:22}" + "".join(f"{one:7.2f}" for one in found) + f"   mean {means[party]:.2f}")
    worse = [party for party in ("Pillow LANCZOS", "vipsthumbnail") if means["llava_zh"] < means[party] - MARGIN]
    for party in worse:
        print(f"not ok: {name}: {means['llava_zh']:.2f} dB, {party} {means[party]:.2f}")
    return not worse


good = [check("photo-12.jpg", scene(4000, 3000, grain=9), quality=90),
        check("photo-hd.jpg", scene(1920, 1080, grain=9), quality=90),
        check("photo-444.jpg", scene(2400, 1800), quality=92, subsampling=0),
        check("photo-web.webp", scene(1600, 1200), quality=92),
        check("page-12.jpg", page(3024, 4032), quality=90),
        check("page-long.jpg", page(750, 8000), quality=90),
        check("page.png", page(1500, 2000))]
sys.exit(not all(good))
