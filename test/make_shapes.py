"""make_shapes.py FOLDER: files of the shapes that crawls bring, under names that say what they are.

Needs python3-pil; files that begin with avif are made where avifenc (libavif-bin) is installed.
"""
import io
import pathlib
import random
import shutil
import subprocess
import sys

from PIL import Image, ImageDraw

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def scene(seed, width=320, height=240):
    """Unlike any other: squares of any colour, and grain."""
    dice = random.Random(seed)
    picture = Image.new("RGB", (width, height), tuple(dice.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = dice.randrange(width), dice.randrange(height)
        draw.rectangle((x, y, x + dice.randrange(5, 90), y + dice.randrange(5, 90)),
                       fill=tuple(dice.randrange(256) for _ in range(3)))
    noise = Image.frombytes("L", (width, height), dice.randbytes(width * height))
    return Image.blend(picture, noise.convert("RGB"), 0.1)


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def keep(name, data):
    (folder / name).write_bytes(data)


def film(kind, seed, **options):
    return encoded(scene(seed), kind, save_all=True, append_images=[scene(seed + n) for n in range(1, 6)], **options)


# whole, though the file is not
gif, apng, webp = film("GIF", 100), film("PNG", 200), film("WEBP", 300, quality=80)
keep("film.gif", gif[:len(gif) * 3 // 10])
keep("film.png", apng[:len(apng) * 3 // 10])
keep("film.webp", webp[:len(webp) * 3 // 10])
keep("no-trailer.gif", encoded(scene(1), "GIF", interlace=0)[:-1])
keep("no-trailer-interlaced.gif", encoded(scene(2), "GIF", interlace=1)[:-1])
keep("no-iend.png", encoded(scene(3), "PNG")[:-12])
keep("no-eoi.jpg", encoded(scene(4), "JPEG", quality=90)[:-2])
keep("no-eoi-progressive.jpg", encoded(scene(5), "JPEG", quality=90, progressive=True)[:-2])
keep("moving.webp", film("WEBP", 400, quality=80))
exif = Image.Exif()
exif[0x0112] = 6
keep("turned.png", encoded(scene(6), "PNG", exif=exif))

# cut: told by the header, and by decoding only
keep("cut.jpg", encoded(scene(7), "JPEG", quality=90)[:-9000])
keep("cut-progressive.jpg", encoded(scene(8), "JPEG", quality=90, progressive=True)[:-200])

# nothing to be seen, and what would not be seen on white
keep("blank.jpg", encoded(Image.new("RGB", (200, 160), (250, 250, 250)), "JPEG"))
keep("blank.png", encoded(Image.new("RGBA", (200, 160), (90, 20, 20, 0)), "PNG"))
dot = Image.new("P", (1, 1), 0)
dot.putpalette([255, 0, 0] + [0] * 765)
data = bytearray(encoded(dot, "GIF"))
data[6:10] = (120).to_bytes(2, "little") + (124).to_bytes(2, "little")
keep("blank.gif", bytes(data))
white = Image.new("RGBA", (200, 160), (255, 255, 255, 0))
ImageDraw.Draw(white).ellipse((40, 30, 150, 130), fill=(255, 255, 255, 255))
keep("white.png", encoded(white, "PNG"))

if shutil.which("avifenc"):
    def avif(name, *options, pictures):
        paths = []
        for n, picture in enumerate(pictures):
            paths.append(folder / f"{name}-{n}.ppm")
            picture.save(paths[-1].with_suffix(".png"))
            paths[-1] = paths[-1].with_suffix(".png")
        subprocess.run(["avifenc", "--jobs", "1", "--speed", "10", *options, *paths, folder / name], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for path in paths:
            path.unlink()

    avif("avif-still.avif", pictures=[scene(9)])
    avif("avif-film.avif", pictures=[scene(500 + n) for n in range(4)])
    avif("avif-deep.avif", "--depth", "10", "--yuv", "420", "--irot", "1", pictures=[scene(10)])
    # what takes one core about a second: as many bytes for a pixel as there can be
    avif("avif-large.avif", "--min", "0", "--max", "0", "--depth", "12",
         pictures=[Image.frombytes("RGB", (1000, 1000), random.Random(11).randbytes(1000 * 1000 * 3))])
