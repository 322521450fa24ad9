"""seeds.py FOLDER: small pictures, and replies, for the fuzzers to start from, into FOLDER/fuzz_*.corpus.

Each begins with the bytes by which a target chooses what is asked.
"""
import io
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

from PIL import Image

folder = pathlib.Path(sys.argv[1])
count = 0


def keep(kind, data):
    global count
    for target in (kind, "info"):
        corpus = folder / f"fuzz_{target}.corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        for choice in (0, 3, 33, 64, 144) if target == kind else (0,):
            (corpus / f"seed-{count}-{choice}").write_bytes(bytes([choice]) + data)
    count += 1


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    keep(kind.lower(), out.getvalue())


def scene(width, height, mode="RGB"):
    picture = Image.new("RGB", (width, height))
    picture.putdata([(x * 9 % 256, y * 7 % 256, (x * y) % 256) for y in range(height) for x in range(width)])
    return picture.convert(mode)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def interlaced(bits, kind, channels, side=17):
    """An Adam7 PNG of one level."""
    header = struct.pack(">IIBBBBB", side, side, bits, kind, 0, 0, 1)
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        width, height = -(-(side - x0) // dx), -(-(side - y0) // dy)
        rows += (b"\0" + bytes([85]) * -(-width * channels * bits // 8)) * height
    palette = chunk(b"PLTE", bytes(range(256)) * 3)[:] if kind == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


exif = Image.Exif()
exif[0x0112] = 6
for subsampling in (0, 1, 2):
    saved(scene(33, 21), "JPEG", subsampling=subsampling, exif=exif)
    saved(scene(70, 60), "JPEG", subsampling=subsampling, progressive=True, quality=40)
for mode in ("L", "CMYK"):
    saved(scene(40, 30, mode), "JPEG")
for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I"):
    saved(scene(31, 19, mode), "PNG")
saved(scene(31, 19, "P"), "PNG", transparency=3)
for bits, kind, channels in ((8, 0, 1), (16, 2, 3), (8, 6, 4), (16, 4, 2), (1, 0, 1), (8, 3, 1)):
    keep("png", interlaced(bits, kind, channels))
for lossless in (False, True):
    for mode in ("RGB", "RGBA"):
        saved(scene(40, 30, mode), "WEBP", lossless=lossless, exif=exif)
saved(scene(40, 30), "WEBP", save_all=True, append_images=[scene(40, 30, "L").convert("RGB")])
for mode, lossless in (("RGB", False), ("RGBA", False), ("RGBA", True)):
    saved(scene(40, 30, mode), "WEBP", save_all=True, append_images=[scene(40, 30, mode).transpose(Image.FLIP_LEFT_RIGHT)], lossless=lossless)
saved(scene(40, 30, "P"), "GIF", interlace=1)
saved(scene(40, 30, "P"), "GIF", interlace=0, transparency=2)
saved(scene(9, 120, "P"), "GIF", save_all=True, append_images=[scene(9, 120, "L").convert("P").transpose(Image.FLIP_TOP_BOTTOM)])
# animated PNGs, the second frame smaller than the first
saved(scene(31, 19), "PNG", save_all=True, append_images=[scene(31, 19).transpose(Image.FLIP_TOP_BOTTOM)])
saved(Image.new("RGBA", (31, 19)), "PNG", save_all=True, append_images=[scene(31, 19, "RGBA")])


def avif(*options, pictures=(("RGB", 40, 30),)):
    """By avifenc (libavif-bin), where it is installed."""
    with tempfile.TemporaryDirectory() as made:
        names = []
        for n, (mode, width, height) in enumerate(pictures):
            names.append(f"{made}/{n}.png")
            scene(width, height, mode).save(names[-1])
        subprocess.run(["avifenc", "--speed", "10", "--jobs", "1", *options, *names, f"{made}/made.avif"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        keep("avif", pathlib.Path(made, "made.avif").read_bytes())


if shutil.which("avifenc"):
    for depth in ("8", "10", "12"):
        for layout in ("444", "422", "420", "400"):
            avif("--depth", depth, "--yuv", layout)
    avif("--yuv", "420", pictures=(("RGBA", 33, 21),))
    avif("--premultiply", "--range", "limited", pictures=(("RGBA", 40, 30),))
    avif("--lossless")
    for turn in ("0", "1", "2", "3"):
        avif("--irot", turn, "--imir", "01"[int(turn) % 2])
    avif("--grid", "2x1", pictures=(("RGB", 64, 64), ("RGB", 64, 64)))
    avif("--grid", "1x2", "--yuv", "420", pictures=(("RGBA", 64, 64), ("RGBA", 64, 64)))
    avif("--yuv", "420", pictures=(("RGB", 40, 30),) * 3)
    avif(pictures=(("RGBA", 40, 30),) * 2)

for foreign in (b"BM", b"II*\0", b"%PDF-1.4", b"<svg ", b"\xef\xbb\xbf <!doctype html>", b"\0\0\0\x18ftypavif"):
    keep("info", foreign + bytes(20))

# fuzz_reply's first byte is the kind of task and the language, its second how the reply ended
KINDS = {"日常对话": 0, "复杂推理": 1, "描述图片": 2}
CHINESE = 3
corpus = folder / "fuzz_reply.corpus"
corpus.mkdir(parents=True, exist_ok=True)
for line in (pathlib.Path(__file__).parent.parent / "unit/replies.jsonl").read_text("utf-8").splitlines():
    case = json.loads(line)
    start = bytes([KINDS[case["task"]] + CHINESE, int(case["finish_reason"] == "length")])
    (corpus / f"seed-{case['id']}").write_bytes(start + case["reply"].encode("utf-8"))

# fuzz_object's first byte says which keys are required, its second how the reply ended
SPECS = ["worth 0..3", "has_text boolean", "why text", "lines list", "kind"]
corpus = folder / "fuzz_object.corpus"
corpus.mkdir(parents=True, exist_ok=True)
for line in (pathlib.Path(__file__).parent.parent / "unit/objects.jsonl").read_text("utf-8").splitlines():
    case = json.loads(line)
    required = sum(1 << SPECS.index(spec) for spec in case["required"] if spec in SPECS)
    start = bytes([required, int(case["finish"] == "length")])
    (corpus / f"seed-{case['name'].replace('/', '-')}").write_bytes(start + case["reply"].encode("utf-8"))

# fuzz_envelope's first byte is the status, its second what it begins with
STATUSES = [200, 400, 401, 403, 404, 413, 429, 500, 503, 302]
corpus = folder / "fuzz_envelope.corpus"
corpus.mkdir(parents=True, exist_ok=True)
for file in ("servers.jsonl", "servers_more.jsonl"):
    for line in (pathlib.Path(__file__).parent.parent / "unit" / file).read_text("utf-8").splitlines():
        case = json.loads(line)
        status = STATUSES.index(case["status"]) if case["status"] in STATUSES else 1
        (corpus / f"seed-{case['name']}").write_bytes(bytes([status, 0]) + case.get("body", "").encode("utf-8"))

# fuzz_url takes a URL, and what is joined to it behind a newline; fuzz_robots a path, a newline, the file
corpus = folder / "fuzz_url.corpus"
corpus.mkdir(parents=True, exist_ok=True)
for number, url in enumerate((
        "http://a.cn/x.jpg\n../y", "https://图片.公司.cn:443/%2e%2E/图 1.jpg?词#z\n//b.cn", "http://[::ffff:127.0.0.1]/\nhttp://0x7f.1",
        "http://①②⑦.⓪.⓪.①/", "http://0x7f000001/", "http://017700000001/", "http://127.0.0.%31./", "http://[64:ff9b::7f00:1]/",
        "http://u:p@a.cn:80/\\", "http://1.2.3/", "http://[2002:7f00:1::]/", "http://XN--55QX5D.cn/", "http://a.localhost/")):
    (corpus / f"seed-{number}").write_bytes(url.encode("utf-8"))
corpus = folder / "fuzz_robots.corpus"
corpus.mkdir(parents=True, exist_ok=True)
for number, text in enumerate((
        "/a/b.jpg?q\nUser-agent: *\nDisallow: /a*b$\nAllow: /%E5%9B%BE\nCrawl-delay: 1.5\nContent-Signal: ai-train=no\n",
        "/x\n\ufeffUser-agent: llava_zh\r\nuser agent: other\rDisallow /x\n", "/x\n<html>User-agent: *<br>\nDisallow: /\n")):
    (corpus / f"seed-{number}").write_bytes(text.encode("utf-8"))
(corpus / "seed-utf16").write_bytes(b"/x\n" + "\ufeffUser-agent: *\nDisallow: /x\U0001f600\n".encode("utf-16-le"))
