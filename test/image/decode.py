"""decode.py FOLDER: files of other encoders, decoded by src/image and by a reference.

Every file is made here, in FOLDER, and must decode at full scale to within 38 dB of
the reference decoder; where it is large enough, also the JPEG that is prepared of
it must look so, shrunk.
"""
import pathlib
import shutil
import struct
import sys

import numpy
from PIL import Image, ImageOps

from pictures import PICTURE, alpha, decoded, ffmpeg, magick, on_white, psnr, run, scene

AT_LEAST = 38
MAX_PIXELS = 40000
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
made = []


def keep(name, reference):
    made.append((folder / name, reference))


def pillow(name):
    """Pillow is the reference."""
    keep(name, ImageOps.exif_transpose(Image.open(folder / name)))
    made[-1] = (made[-1][0], on_white(made[-1][1]))


def ppm(name, picture):
    path = folder / name
    picture.save(path)
    return path


photo = scene(403, 301)
source = ppm("scene.ppm", photo)
grey = ppm("grey.pgm", photo.convert("L"))


def jpegs():
    def cjpeg(name, *options, of=source):
        (folder / name).write_bytes(run("cjpeg", "-quality", 92, *options, of))
        keep(name, decoded(folder / name, "djpeg", "-dct", "int"))

    cjpeg("baseline.jpg", "-baseline")
    cjpeg("optimised.jpg", "-optimize")
    cjpeg("restart.jpg", "-restart", 1)
    cjpeg("progressive.jpg", "-progressive")
    cjpeg("progressive-444.jpg", "-progressive", "-sample", "1x1")
    cjpeg("grey.jpg", of=grey)
    cjpeg("grey-progressive.jpg", "-progressive", of=grey)
    cjpeg("rgb.jpg", "-rgb")
    for sampling in ("1x1", "2x1", "2x2", "4x1", "1x2", "4x2", "1x4", "3x1", "2x2,2x1,2x1", "2x2,1x2,1x2", "2x2,1x1,2x2"):
        cjpeg(f"sampling-{sampling}.jpg", "-sample", sampling)
        cjpeg(f"sampling-{sampling}-progressive.jpg", "-progressive", "-sample", sampling)
    (folder / "scans.txt").write_text("0;\n1;\n2;\n")
    cjpeg("in-scans.jpg", "-scans", folder / "scans.txt")
    for width, height in ((1, 1), (7, 3), (17, 33), (8, 8), (16, 16), (33, 17), (200, 1)):
        for sampling in ("1x1", "2x2"):
            cjpeg(f"{width}x{height}-{sampling}.jpg", "-sample", sampling,
                  of=ppm(f"{width}x{height}.ppm", scene(width, height, grain=0)))
    for name in ("magick", "magick-411"):
        magick(source, "-quality", 92, "-sampling-factor", "4x1" if "411" in name else "4:2:0", folder / f"{name}.jpg")
        pillow(f"{name}.jpg")
    ffmpeg("-i", source, "-q:v", 2, "-pix_fmt", "yuvj422p", folder / "ffmpeg-422.jpg")
    pillow("ffmpeg-422.jpg")
    (folder / "netpbm.jpg").write_bytes(run("pnmtojpeg", "--quality=92", source))
    pillow("netpbm.jpg")


def inked():
    magick(source, "-colorspace", "CMYK", "-quality", 92, folder / "magick-cmyk.jpg")
    pillow("magick-cmyk.jpg")
    bands = [255 - numpy.asarray(photo)[..., c] for c in range(3)] + [numpy.asarray(alpha(*photo.size)) // 2]
    ink = Image.merge("CMYK", [Image.fromarray(band) for band in bands])
    ink.save(folder / "pillow-cmyk.jpg", quality=92)
    pillow("pillow-cmyk.jpg")
    # YCCK: the same encoder is given Y, Cb, Cr of the ink, and told to say so
    colours = Image.merge("RGB", ink.split()[:3]).convert("YCbCr")
    bands = [Image.fromarray(255 - numpy.asarray(band)) for band in colours.split()] + [ink.split()[3]]
    Image.merge("CMYK", bands).save(folder / "ycck.jpg", quality=92)
    data = bytearray((folder / "ycck.jpg").read_bytes())
    at = data.index(b"\xff\xee") + 4
    assert data[at:at + 5] == b"Adobe"
    data[at + 11] = 2
    (folder / "ycck.jpg").write_bytes(data)
    pillow("ycck.jpg")
    if psnr(made[-1][1], on_white(ink)) < 30:
        raise RuntimeError("the YCCK file is not what it was meant to be")


def oriented():
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for name, options in (("jpg", {"quality": 92}), ("png", {}), ("webp", {"quality": 95})):
            photo.save(folder / f"orientation-{orientation}.{name}", exif=exif, **options)
            pillow(f"orientation-{orientation}.{name}")
        photo.save(folder / f"orientation-{orientation}-444.jpg", exif=exif, quality=92, subsampling=0, progressive=True)
        pillow(f"orientation-{orientation}-444.jpg")
        # the other order of bytes, as Motorola's have it
        data = (folder / f"orientation-{orientation}.jpg").read_bytes()
        at = data.index(b"Exif\0\0") + 6
        length = struct.unpack(">H", data[at - 8:at - 6])[0] - 8
        tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
        tiff += bytes(max(0, length - len(tiff)))
        changed = data[:at - 8] + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff + data[at + length:]
        (folder / f"orientation-{orientation}-intel.jpg").write_bytes(changed)
        pillow(f"orientation-{orientation}-intel.jpg")


def pngs():
    clear = photo.copy()
    clear.putalpha(alpha(*photo.size))
    mask = ppm("alpha.pgm", alpha(*photo.size))
    for interlaced in ("", "-interlace"):
        options = [interlaced] if interlaced else []
        for depth in (1, 2, 4, 8):
            levels = folder / f"grey{depth}.pgm"
            levels.write_bytes(run("pamdepth", 2 ** depth - 1, grey))
            (folder / f"netpbm-grey{depth}{interlaced}.png").write_bytes(run("pnmtopng", *options, levels))
            pillow(f"netpbm-grey{depth}{interlaced}.png")
        for colours in (2, 4, 16, 256):
            few = folder / f"palette{colours}.ppm"
            few.write_bytes(run("pnmquant", colours, source))
            (folder / f"netpbm-palette{colours}{interlaced}.png").write_bytes(run("pnmtopng", *options, few))
            pillow(f"netpbm-palette{colours}{interlaced}.png")
        (folder / f"netpbm-alpha{interlaced}.png").write_bytes(run("pnmtopng", *options, f"-alpha={mask}", source))
        pillow(f"netpbm-alpha{interlaced}.png")
        (folder / f"netpbm-clear{interlaced}.png").write_bytes(
            run("pnmtopng", *options, "-transparent==black", folder / "palette16.ppm"))
        pillow(f"netpbm-clear{interlaced}.png")
        for kind in ("PNG8", "PNG24", "PNG32", "PNG48", "PNG64"):
            name = f"magick-{kind}{interlaced}.png"
            clear.save(folder / "clear.png")
            of = folder / "clear.png" if kind in ("PNG32", "PNG64") else source
            magick(of, *(["-interlace", "PNG"] if interlaced else []), f"{kind}:{folder / name}")
            pillow(name)
    for layout in ("rgb24", "rgba", "rgb48be", "rgba64be", "gray", "gray16be", "ya8", "ya16be", "pal8", "monob"):
        ffmpeg("-i", folder / "clear.png", "-pix_fmt", layout, folder / f"ffmpeg-{layout}.png")
        pillow(f"ffmpeg-{layout}.png")
    palette = photo.quantize(64)
    palette.save(folder / "pillow-trns.png", transparency=bytes(range(0, 256, 4)))
    pillow("pillow-trns.png")
    photo.convert("L").save(folder / "pillow-grey-trns.png", transparency=128)
    pillow("pillow-grey-trns.png")
    for width, height in ((1, 1), (7, 3), (17, 33)):
        scene(width, height).save(folder / f"{width}x{height}.png")
        pillow(f"{width}x{height}.png")
        magick(folder / f"{width}x{height}.png", "-interlace", "PNG", folder / f"{width}x{height}-interlace.png")
        pillow(f"{width}x{height}-interlace.png")


def webps():
    clear = folder / "clear.png"

    def cwebp(name, *options, of=source):
        run("cwebp", "-quiet", *options, of, "-o", folder / name)
        pillow(name)

    cwebp("lossy.webp", "-q", 90)
    cwebp("lossy-low.webp", "-q", 10)
    cwebp("lossless.webp", "-lossless")
    cwebp("near-lossless.webp", "-near_lossless", 40)
    cwebp("alpha.webp", "-q", 90, of=clear)
    cwebp("alpha-lossless.webp", "-lossless", of=clear)
    cwebp("alpha-exact.webp", "-lossless", "-exact", of=clear)
    cwebp("alpha-coarse.webp", "-q", 80, "-alpha_q", 20, of=clear)
    for width, height in ((1, 1), (7, 3), (17, 33)):
        cwebp(f"{width}x{height}.webp", "-q", 90, of=folder / f"{width}x{height}.png")


def gifs():
    few = folder / "palette256.ppm"
    for name, options in (("gif", ()), ("gif-interlace", ("-interlace",)), ("gif-clear", ("-transparent==black",))):
        of = folder / "palette16.ppm" if "clear" in name else few
        (folder / f"netpbm-{name}.gif").write_bytes(run("pamtogif", *options, of))
        pillow(f"netpbm-{name}.gif")
    magick(few, "-repage", "500x400+41+23", folder / "magick-sub-frame.gif")
    flat = magick(str(folder / "magick-sub-frame.gif") + "[0]", "-background", "white", "-flatten", "ppm:-")
    (folder / "sub-frame.ppm").write_bytes(flat)
    keep("magick-sub-frame.gif", Image.open(folder / "sub-frame.ppm"))
    magick(few, "(", source, "-negate", ")", "-loop", 0, folder / "magick-animated.gif")
    pillow("magick-animated.gif")
    ffmpeg("-i", source, folder / "ffmpeg.gif")
    pillow("ffmpeg.gif")
    for width, height in ((1, 1), (7, 3), (17, 33)):
        magick(folder / f"{width}x{height}.png", "-interlace", "GIF", folder / f"{width}x{height}.gif")
        pillow(f"{width}x{height}.gif")


def films():
    frames = [photo, photo.transpose(Image.FLIP_LEFT_RIGHT)]
    for name, options in (("film", {"quality": 92}), ("film-lossless", {"lossless": True}), ("film-mixed", {"allow_mixed": True})):
        frames[0].save(folder / f"{name}.webp", save_all=True, append_images=frames[1:], **options)
        pillow(f"{name}.webp")
    clear = photo.copy()
    clear.putalpha(alpha(*photo.size))
    clear.save(folder / "film-alpha.webp", save_all=True, append_images=[clear], quality=92)
    pillow("film-alpha.webp")


def avifs():
    """By avifenc, with what avifdec makes of them as the reference."""
    mask = folder / "clear.png"

    def avif(name, *options, of=(folder / "photo.png",)):
        run("avifenc", "--jobs", 1, "--speed", 8, *options, *of, folder / name)
        run("avifdec", "--jobs", 1, "--index", 0, folder / name, folder / f"{name}.png")
        keep(name, on_white(Image.open(folder / f"{name}.png")))

    photo.save(folder / "photo.png")
    for depth in (8, 10, 12):
        for layout in ("444", "422", "420", "400"):
            avif(f"{layout}-{depth}.avif", "--depth", depth, "--yuv", layout, "--min", 5, "--max", 15)
    avif("limited.avif", "--range", "limited", "--min", 5, "--max", 15)
    avif("lossless.avif", "--lossless")
    avif("709.avif", "--cicp", "1/13/1", "--min", 5, "--max", 15)
    avif("grain.avif", "-a", "film-grain-test=1", "--min", 5, "--max", 15)
    avif("alpha.avif", "--min", 5, "--max", 15, of=(mask,))
    avif("premultiplied.avif", "--premultiply", "--min", 5, "--max", 15, of=(mask,))
    photo.resize((384, 256)).save(folder / "even.png")
    avif("grid.avif", "--grid", "3x2", "--min", 5, "--max", 15, of=(folder / "even.png",))
    photo.transpose(Image.FLIP_LEFT_RIGHT).save(folder / "second.png")
    avif("sequence.avif", "--min", 5, "--max", 15, of=(folder / "photo.png", folder / "second.png"))
    for width, height in ((1, 1), (7, 3), (17, 33)):
        avif(f"{width}x{height}.avif", "--min", 0, "--max", 0, of=(folder / f"{width}x{height}.png",))


def check_rows(path, reference):
    run(PICTURE, "rows", path, folder / "rows.ppm")
    rows = Image.open(folder / "rows.ppm")
    if rows.size != reference.size:
        return f"{rows.size} pixels, not {reference.size}"
    found = psnr(rows, reference)
    return "" if found >= AT_LEAST else f"{found:.1f} dB"


def check_prepared(path, reference, chroma):
    """By the mean colours of 4 x 4 pixels: which kernel shrinks is fit.py's matter."""
    run(PICTURE, "prepare", path, folder / "prepared.jpg", MAX_PIXELS, 98, chroma)
    prepared = Image.open(folder / "prepared.jpg").convert("RGB")
    found = psnr(prepared.reduce(4), reference.resize(prepared.size, Image.BICUBIC).reduce(4))
    return "" if found >= AT_LEAST else f"shrunk, {chroma}: {found:.1f} dB"


jpegs()
inked()
oriented()
pngs()
webps()
gifs()
films()
if shutil.which("avifenc"):
    avifs()
failed = 0
for path, reference in made:
    reasons = [check_rows(path, reference)]
    if reference.size[0] * reference.size[1] > MAX_PIXELS:
        reasons += [check_prepared(path, reference, chroma) for chroma in ("444", "420")]
    for reason in filter(None, reasons):
        print(f"not ok: {path.name}: {reason}")
        failed += 1
print(f"# {len(made)} files of other encoders, {failed} failed")
sys.exit(failed > 0)
