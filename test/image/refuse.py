"""refuse.py FOLDER: hostile and foreign files. Each has its reason, within time and memory.

A file is prepared under the default limits by a process of its own, which tells the
status, its CPU time and the most memory it had beyond the file.
"""
import io
import pathlib
import random
import struct
import sys
import zlib

from PIL import Image

from pictures import PICTURE, run, scene

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
failed = count = 0


def expect(name, data, status, words, ms=1000, megabytes=32):
    """status, words within the reason, at most so many ms of CPU and MB."""
    global failed, count
    path = folder / f"refuse-{name}"
    path.write_bytes(data)
    found, took, memory, reason = run(PICTURE, "refuse", path).decode().strip().split(" ", 3)
    count += 1
    if found != status or words not in reason or int(took) > ms or int(memory) > megabytes:
        print(f"not ok: {name}: {found}, {took} ms, {memory} MB: {reason}")
        failed += 1


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, bits, kind, data, *before, interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(before) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(size):
    """So many zeros, deflated."""
    packer = zlib.compressobj(9)
    piece = bytes(1 << 20)
    return b"".join(packer.compress(piece[:min(len(piece), size - at)]) for at in range(0, size, len(piece))) + packer.flush()


def frame_at(jpeg):
    return next(at for at in range(len(jpeg)) if jpeg[at] == 0xFF and jpeg[at + 1] in (0xC0, 0xC1, 0xC2))


def with_sides(jpeg, width, height):
    at = frame_at(jpeg) + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4:]


def with_exif(jpeg, tiff):
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


photo = scene(640, 480)
jpeg = encoded(photo, "JPEG", quality=85)
progressive = encoded(photo, "JPEG", quality=85, progressive=True)

# sides that only a header has
expect("65500.jpg", with_sides(jpeg, 65500, 65500), "too_large", "65500 x 65500 pixels, over the limit", 50)
expect("65500-progressive.jpg", with_sides(progressive, 65500, 65500), "too_large", "65500 x 65500 pixels", 50)
expect("65500-cut.jpg", with_sides(jpeg, 65500, 65500)[:-2], "too_large", "65500 x 65500 pixels", 50)
expect("65500.png", png(65500, 65500, 8, 2, zeros(1000)), "too_large", "65500 x 65500 pixels", 50)
expect("65500.gif", b"GIF89a" + struct.pack("<HH", 65500, 65500) + encoded(photo, "GIF")[10:], "too_large", "65500 x 65500", 50)
webp = encoded(photo.convert("RGBA"), "WEBP")
wide = webp[:8] + b"WEBPVP8X" + struct.pack("<IBBBB", 10, 0, 0, 0, 0) + b"\xdb\xff\0\xdb\xff\0" + webp[12:]
expect("65500.webp", wide[:4] + struct.pack("<I", len(wide) - 8) + wide[8:], "too_large", "65500 x 65500 pixels", 50)
expect("hollow.jpg", with_sides(jpeg, 12000, 12000), "truncated", "JPEG ends early", 2000)
expect("hollow-progressive.jpg", with_sides(progressive, 12000, 12000), "too_large", "MB to decode, over the limit", 50)

# giants that are taken: a baseline JPEG comes by rows, a progressive one would be kept whole
tile = Image.new("RGB", (11600, 8700))
for y in range(0, 8700, 480):
    for x in range(0, 11600, 640):
        tile.paste(photo, (x, y))
expect("100-megapixels.jpg", encoded(tile, "JPEG", quality=85), "ok", "taken", 5000, 23)
expect("100-megapixels-progressive.jpg", with_sides(progressive, 11600, 8700), "too_large", "MB to decode, over the limit", 50)

# little that inflates to much
small = png(100000, 33334, 8, 2, zeros(900000))
expect("10-gigabytes.png", small, "too_large", "100000 x 33334 pixels", 50)
if len(small) > 1024:
    sys.exit(f"a bomb of {len(small)} bytes is none")
expect("hollow.png", png(12000, 12000, 8, 2, zeros(1000000)), "broken", "PNG is broken", 1000)
packed = zeros(8000 * 32001)
expect("whole.png", png(8000, 8000, 8, 6, packed), "ok", "taken", 11000)
expect("whole-interlaced.png", png(8000, 8000, 8, 2, zeros(1000), interlaced=1), "too_large", "MB to decode", 50)
line = zlib.compress(b"".join(b"\0" + bytes(64 * 3) for _ in range(64)))
text = chunk(b"zTXt", b"Comment\0\0" + packed)
expect("text.png", png(64, 64, 8, 2, line, text), "ok", "taken")
expect("profile.png", png(64, 64, 8, 2, line, chunk(b"iCCP", b"icc\0\0" + packed)), "ok", "taken")

# no sides at all
expect("0x0.gif", b"GIF89a" + bytes(4) + b"\0\0\0" + b"," + bytes(9) + b"\2\0;", "broken", "GIF of 0 x 0 pixels", 50)
expect("0x0.png", png(0, 0, 8, 2, zeros(10)), "broken", "PNG of 0 x 0 pixels", 50)
expect("0x0.jpg", with_sides(jpeg, 0, 0), "broken", "JPEG of 0 x 0 pixels", 50)

# a pass over the whole picture for each scan: the first of Cb's, tables and all, again and again
small = encoded(scene(160, 120), "JPEG", quality=85, progressive=True)
begins = [at for at in range(len(small)) if small[at:at + 2] == b"\xff\xda" and small[at + 5] == 2]
begins = small.rindex(b"\xff\xc4", 0, begins[0])
ends = small.index(b"\xff\xc4", small.index(b"\xff\xda", begins))
for scans, status, words in ((80, "ok", "taken"), (10000, "too_large", "JPEG of 10010 scans, over the limit of 100")):
    expect(f"scans-{scans}.jpg", small[:ends] + small[begins:ends] * scans + small[ends:], status, words, 1000)

# what lies behind or beside the picture
noise = random.Random(1).randbytes(5 << 20)
expect("junk.jpg", jpeg + noise, "ok", "taken", 500)
expect("junk-ff.jpg", jpeg + b"\xff" * (5 << 20), "ok", "taken", 500)
expect("junk-progressive.jpg", progressive + noise, "ok", "taken", 500)
run(PICTURE, "prepare", folder / "refuse-junk.jpg", folder / "prepared.jpg", 1280 * 28 * 28, 85, "420")
if (folder / "prepared.jpg").stat().st_size > 1 << 20:
    print("not ok: junk behind a picture is sent")
    failed += 1
entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
for name, tiff in (("beyond", b"II*\0\xff\xff\xff\xff" + bytes(20)), ("at-end", b"II*\0\x1a\0\0\0" + bytes(20)),
                   ("negative", b"MM\0*\x80\0\0\0" + bytes(20)), ("count", b"II*\0\x08\0\0\0\xff\xff" + bytes(12)),
                   ("type", b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x0112, 4, 0xFFFFFFFF, 0xFFFFFFF0) + bytes(4)),
                   ("value", b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHIHH", 0x0112, 3, 1, 9, 0) + bytes(4)),
                   ("loop", b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(8)), ("short", b"II*\0"),
                   ("cut", b"II*\0\x08\0\0\0\2\0" + entry[:8])):
    expect(f"exif-{name}.jpg", with_exif(jpeg, tiff), "ok", "taken", 200)

# more than one picture: the first is taken, also where the file ends behind it, and not where it ends within
frames = [photo, photo.transpose(Image.FLIP_TOP_BOTTOM)]
for kind in ("GIF", "PNG", "WEBP"):
    moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:] * 50)
    expect(f"moving.{kind.lower()}", moving, "ok", "taken", 500)
    expect(f"moving-cut.{kind.lower()}", moving[:len(moving) * 4 // 5], "ok", "taken", 500)
    expect(f"moving-hollow.{kind.lower()}", moving[:2000], "truncated", " ends early, ", 500)

# what is no picture, or none that is taken
for kind, status, words in (("BMP", "unsupported", "BMP is not supported"), ("TIFF", "unsupported", "TIFF is not supported"),
                            ("ICO", "unsupported", "ICO is not supported"), ("PPM", "unsupported", "PPM is not supported"),
                            ("JPEG2000", "unsupported", "JPEG 2000 is not supported"),
                            ("PDF", "not_an_image", "a PDF document, not a picture")):
    expect(f"foreign.{kind.lower()}", encoded(photo, kind), status, words, 50)
for name, data, status, words in (
        ("svg", b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported", "SVG is not supported"),
        ("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "unsupported", "HEIC is not supported"),
        ("heif", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(100), "unsupported", "HEIC is not supported"),
        ("heif-other", b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf" + bytes(100), "unsupported", "HEIF is not supported"),
        ("avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(100), "broken", "AVIF is broken in its header"),
        ("html", b"<!DOCTYPE html>\n<html><head><title>403</title></head></html>", "not_an_image", "an HTML page, not a picture"),
        ("nothing", b"", "empty", "empty"), ("text", "图片不存在".encode(), "not_an_image", "not a picture in any known format")):
    expect(f"foreign.{name}", data, status, words, 50)

print(f"# {count} hostile and foreign files, {failed} failed")
sys.exit(failed > 0)
