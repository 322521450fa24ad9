"""Pictures for the tests of src/image: drawn here, encoded by others, and compared."""
import io
import pathlib
import shutil
import subprocess

import numpy
from PIL import Image

PICTURE = str(pathlib.Path(__file__).parents[2] / "build" / "picture")


def scene(width, height, seed=1, grain=3.0):
    """Something like a photograph: detail at every scale, then grain."""
    random = numpy.random.default_rng(seed)
    levels = numpy.full((height, width, 3), 128, numpy.float32)
    strength, step = 50.0, max(width, height) // 3 + 1
    while step >= 2:
        coarse = random.standard_normal((height // step + 3, width // step + 3, 3)).astype(numpy.float32)
        coarse[..., 1:] = 0.6 * coarse[..., :1] + 0.4 * coarse[..., 1:]
        for c in range(3):
            fine = Image.fromarray(coarse[..., c]).resize((width, height), Image.BICUBIC)
            levels[..., c] += strength * numpy.asarray(fine)
        strength, step = strength * 0.6, step // 2
    levels += grain * random.standard_normal((height, width, 1)).astype(numpy.float32)
    return Image.fromarray(numpy.clip(levels, 0, 255).astype(numpy.uint8))


def alpha(width, height):
    """Opaque to clear from left to right, with a hole."""
    levels = numpy.tile(numpy.linspace(255, 0, width), (height, 1))
    levels[height // 3:height // 2, width // 4:width // 2] = 0
    return Image.fromarray(levels.astype(numpy.uint8))


def on_white(picture):
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    if picture.mode.startswith("I"):
        return Image.fromarray((numpy.asarray(picture, numpy.float64) / 257 + 0.5).astype(numpy.uint8)).convert("RGB")
    return picture.convert("RGB")


def psnr(a, b):
    difference = numpy.asarray(a, numpy.float64) - numpy.asarray(b, numpy.float64)
    error = numpy.mean(difference * difference)
    return 99.0 if error == 0 else min(99.0, 10 * numpy.log10(255 * 255 / error))


def saved(picture, **options):
    """What is left of a picture that Pillow saves as a JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    return Image.open(out).convert("RGB")


def run(*command, data=None):
    done = subprocess.run([str(word) for word in command], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(str(word) for word in command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def magick(*arguments):
    """ImageMagick, under whichever name Debian has it."""
    program = next(name for name in ("convert-im6.q16", "magick", "convert") if shutil.which(name))
    return run(program, *arguments)


def ffmpeg(*arguments):
    return run("ffmpeg", "-v", "error", "-y", *arguments)


def decoded(path, *command):
    """What a reference decoder that writes PNM to its output makes of a file."""
    return Image.open(io.BytesIO(run(*command, path))).convert("RGB")
