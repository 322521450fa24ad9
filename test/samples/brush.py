"""What the sample pictures are drawn with: a sheet, Chinese text, grain."""

import functools
import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

FONTS = "/usr/share/fonts/opentype/noto/"
SIMPLIFIED_CHINESE = 2  # the face of that name in Noto's collections
FINE = 2  # sheets are drawn so many times larger, for smooth edges


@functools.lru_cache(maxsize=None)
def font(size, bold, serif):
    name = "Noto%sCJK-%s.ttc" % ("Serif" if serif else "Sans", "Bold" if bold else "Regular")
    return ImageFont.truetype(
        FONTS + name,
        round(size * FINE),
        index=SIMPLIFIED_CHINESE,
        layout_engine=ImageFont.Layout.BASIC,
    )


def noise(width, height, seed, cell=1):
    """Grey noise, the same for the same seed, in blots of about `cell` pixels."""
    columns, rows = -(-width // cell), -(-height // cell)
    blots = Image.frombytes("L", (columns, rows), random.Random(seed).randbytes(columns * rows))
    return blots.resize((width, height), Image.Resampling.BICUBIC) if cell > 1 else blots


def grain(image, seed, strength, cell=2):
    """The image with its lightness varied by up to `strength` units."""
    step = noise(*image.size, seed, cell).point(lambda v: v * strength // 128)
    if image.mode == "RGB":
        step = Image.merge("RGB", (step, step, step))
    return ImageChops.subtract(image, step, offset=strength)


class Sheet:
    """A picture in the making; all lengths are in pixels of the finished one."""

    def __init__(self, width, height, fill, mode="RGB"):
        self.width = width
        self.height = height
        self.image = Image.new(mode, (width * FINE, height * FINE), fill)
        self.pen = ImageDraw.Draw(self.image)

    def done(self):
        return self.image.reduce(FINE)

    def box(self, x, y, width, height, fill=None, radius=0, outline=None, line=1):
        self.pen.rounded_rectangle(
            (x * FINE, y * FINE, (x + width) * FINE - 1, (y + height) * FINE - 1),
            radius * FINE,
            fill,
            outline,
            round(line * FINE),
        )

    def disc(self, x, y, radius, fill=None, outline=None, line=1):
        self.pen.ellipse(
            [v * FINE for v in (x - radius, y - radius, x + radius, y + radius)],
            fill,
            outline,
            round(line * FINE),
        )

    def oval(self, x, y, width, height, fill):
        self.pen.ellipse([v * FINE for v in (x, y, x + width, y + height)], fill)

    def arc(self, x, y, radius, start, end, fill, line):
        self.pen.arc(
            [v * FINE for v in (x - radius, y - radius, x + radius, y + radius)],
            start,
            end,
            fill,
            round(line * FINE),
        )

    def area(self, points, fill):
        self.pen.polygon([(x * FINE, y * FINE) for x, y in points], fill)

    def line(self, points, fill, line=1):
        points = [(x * FINE, y * FINE) for x, y in points]
        self.pen.line(points, fill, round(line * FINE), "curve")

    def dashes(self, x0, x1, y, fill, dash=6, gap=6, line=1.5):
        while x0 < x1:
            self.line([(x0, y), (min(x0 + dash, x1), y)], fill, line)
            x0 += dash + gap

    def star(self, x, y, radius, fill):
        angles = [math.pi * (i / 5 - 0.5) for i in range(10)]
        radii = [radius, radius * 0.382] * 5
        self.area([(x + r * math.cos(a), y + r * math.sin(a)) for a, r in zip(angles, radii)], fill)

    def fade(self, x, y, width, height, above, below):
        """A box that goes from one colour to another, downwards."""
        for i in range(height * FINE):
            part = i / (height * FINE - 1)
            fill = tuple(round(a + (b - a) * part) for a, b in zip(above, below))
            at = y * FINE + i
            self.pen.line([(x * FINE, at), ((x + width) * FINE - 1, at)], fill)

    def shadow(self, x, y, width, height, radius=0, blur=10, dark=90):
        """The soft shadow of a box that will be drawn over it."""
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).rounded_rectangle(
            [v * FINE for v in (x, y, x + width, y + height)], radius * FINE, dark
        )
        mask = mask.filter(ImageFilter.GaussianBlur(blur * FINE))
        self.image.paste((0, 0, 0), mask=mask)

    def text(self, x, y, words, size, fill, anchor="la", bold=False, serif=False, gap=0):
        """One line; `gap` is added between its characters."""
        face = font(size, bold, serif)
        if not gap:
            self.pen.text((x * FINE, y * FINE), words, fill, face, anchor)
            return
        length = self.length(words, size, bold, serif) + gap * (len(words) - 1)
        x -= {"l": 0, "m": length / 2, "r": length}[anchor[0]]
        for character in words:
            self.pen.text((x * FINE, y * FINE), character, fill, face, "l" + anchor[1])
            x += self.length(character, size, bold, serif) + gap

    @staticmethod
    def length(words, size, bold=False, serif=False):
        return font(size, bold, serif).getlength(words) / FINE

    def column(self, x, y, words, size, fill, step=None, bold=False, serif=False):
        """Characters one below the other, centred on x, from y down."""
        step = step or size * 1.15
        for i, character in enumerate(words):
            self.text(x, y + (i + 0.5) * step, character, size, fill, "mm", bold, serif)

    def lines(self, x, y, paragraphs, size, fill, step, **how):
        """Lines one below the other; the y after the last."""
        for words in paragraphs:
            self.text(x, y, words, size, fill, **how)
            y += step
        return y

    def stamp(self, x, y, radius, ring, below, fill):
        """A round seal: words on its rim, a star, words below it."""
        side = round(radius * 2 * FINE)
        face = font(radius * 0.27, True, True)
        self.disc(x, y, radius, outline=fill, line=radius * 0.06)
        self.star(x, y, radius * 0.3, fill)
        self.text(x, y + radius * 0.58, below, radius * 0.2, fill, "mm", True, True)
        for i, character in enumerate(ring):
            angle = (i - (len(ring) - 1) / 2) * 232 / len(ring)
            mask = Image.new("L", (side, side))
            at = (side / 2, side / 2 - radius * 0.74 * FINE)
            ImageDraw.Draw(mask).text(at, character, 255, face, "mm")
            mask = mask.rotate(-angle, Image.Resampling.BICUBIC)
            self.image.paste(fill, (round(x * FINE - side / 2), round(y * FINE - side / 2)), mask)

    def rough(self, seed, fill, draw, wear, cell=2):
        """What `draw` draws on a grey sheet, worn by noise: chalk, dry ink."""
        mask = Sheet(self.width, self.height, 0, "L")
        draw(mask)
        holes = noise(*self.image.size, seed, cell).point(lambda v: max(0, 255 - v * wear // 100))
        self.image.paste(fill, mask=ImageChops.multiply(mask.image, holes))
