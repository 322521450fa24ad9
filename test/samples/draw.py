#!/usr/bin/python3
"""Draws the sample pictures into the folder this script is in.

Sources: all of it is our own making, words and pictures; places, people and goods
are invented. The licence is that of the project (PostgreSQL License). The letters
are Noto Sans CJK and Noto Serif CJK (SIL Open Font License).

Needs python3-pil and fonts-noto-cjk. The same versions of these draw the same
bytes; the pictures are kept beside the script, so that nothing here has to be run
to use them.
"""

import argparse
import io
import pathlib

from PIL import Image

import paper
import screen
import street

ORIENTATION = 0x0112
ROTATED = 6  # to be turned clockwise by 90 degrees to be looked at

LOGIN_PAGE = """<!DOCTYPE html>
<html lang="zh-CN">
<head><meta charset="utf-8"><title>请先登录</title></head>
<body>
<h1>请先登录</h1>
<p>您访问的图片需要登录后才能查看。</p>
<form action="/login" method="post">
<input name="user" placeholder="用户名"><input name="password" type="password" placeholder="密码">
<button>登录</button>
</form>
</body>
</html>
"""


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(image, quality=75, **options):
    return encoded(image, "JPEG", quality=quality, optimize=True, **options)


def jpeg_on_its_side(image):
    """As a phone held upright stores it: turned, and saying so in EXIF."""
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATED
    return jpeg(image.transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes())


def png(image):
    return encoded(image, "PNG", optimize=True)


def png_palette(image):
    colours = image.quantize(96, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return encoded(colours, "PNG", optimize=True)


def webp(image):
    return encoded(image, "WEBP", quality=82, method=6)


def webp_lossless(image):
    return encoded(image, "WEBP", lossless=True, quality=100, method=6)


def pictures():
    """Each picture's name and bytes."""
    menu = png_palette(paper.menu())
    notice = street.notice()
    cut = jpeg(notice)
    return {
        "shop-sign.jpg": jpeg(street.shop_sign()),
        "menu.png": menu,
        "bus-timetable.jpg": jpeg(street.bus_timetable(), progressive=True),
        "poster.webp": webp(screen.poster()),
        "notice.jpg": jpeg_on_its_side(notice),
        "chart.png": png_palette(screen.chart()),
        "chat.png": png(screen.chat()),
        "product-long.jpg": jpeg(screen.product()),
        "calligraphy.jpg": jpeg(paper.calligraphy()),
        "train-ticket.jpg": jpeg(paper.train_ticket(), 80),
        "road-sign.png": png(street.road_sign()),
        "book-cover.jpg": jpeg(paper.book_cover()),
        "weather.webp": webp_lossless(screen.weather()),
        "receipt.jpg": jpeg(paper.receipt()),
        "blackboard.jpg": jpeg(street.blackboard(), 70),
        "map.webp": webp(street.lake_map()),
        # four that no model is to be asked about
        "menu-again.png": menu,
        "notice-cut.jpg": cut[: len(cut) * 61 // 100],
        "login.jpg": LOGIN_PAGE.encode(),
        "empty.jpg": b"",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--into",
        type=pathlib.Path,
        metavar="DIR",
        default=pathlib.Path(__file__).resolve().parent,
        help="another folder to draw into",
    )
    arguments = parser.parse_args()
    for name, data in pictures().items():
        (arguments.into / name).write_bytes(data)
        print("%8d  %s" % (len(data), name))


if __name__ == "__main__":
    main()
