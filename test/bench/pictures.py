"""pictures.py FOLDER [ROUNDS]: preparing pictures, beside Pillow, vipsthumbnail and bare libjpeg.

Each party turns the same JPEG into one of at most 1280 * 28 * 28 pixels, quality 85,
4:2:0, on one core.  Rounds are interleaved and medians taken; a time is CPU time, so
that other work on the machine counts for little.  Four files share a process of
vipsthumbnail and its start.  Beside the speed: PSNR against the full decode shrunk in floating
point by area and by LANCZOS.  Exit status 1 where a bar is missed.
"""
import io
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import numpy
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "image"))
from pictures import PICTURE, psnr, run, scene  # noqa: E402

MAX_PIXELS = 1280 * 28 * 28
KERNELS = {"BOX": Image.BOX, "BILINEAR": Image.BILINEAR, "HAMMING": Image.HAMMING,
           "BICUBIC": Image.BICUBIC, "LANCZOS": Image.LANCZOS}
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
os.environ["VIPS_CONCURRENCY"] = "1"
missed = []


def llava(path, times=2):
    return int(run(PICTURE, "time", path, times, MAX_PIXELS, 85, "420")) / 1e6


def bare(path, times=2):
    return int(run(PICTURE, "bare", path, times, MAX_PIXELS)) / 1e6


def pillow(path, size, kernel, draft=True):
    data = path.read_bytes()
    began = time.process_time()
    picture = Image.open(io.BytesIO(data))
    if draft:
        picture.draft("YCbCr", size)
    out = io.BytesIO()
    picture.resize(size, kernel).save(out, "JPEG", quality=85)
    return (time.process_time() - began) * 1000, out.getvalue()


def children():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def vips(path, size, copies=4):
    out = str(folder.absolute()) + "/vips-%s.jpg[Q=85,subsample_mode=on]"
    began = children()
    run("vipsthumbnail", *[path] * copies, "-s", "%dx%d!" % size, "-o", out)
    return (children() - began) * 1000 / copies


def shrunk(path, size, kernel):
    levels = numpy.asarray(Image.open(path).convert("RGB"), numpy.float32)
    return numpy.stack([numpy.asarray(Image.fromarray(levels[..., c]).resize(size, kernel)) for c in range(3)], -1)


def fidelity(path, size, files):
    references = [shrunk(path, size, kernel) for kernel in (Image.BOX, Image.LANCZOS)]
    return {party: [psnr(Image.open(io.BytesIO(data)).convert("RGB"), one) for one in references]
            for party, data in files.items()}


def bar(holds, text):
    print(f"  {'held' if holds else 'MISSED'}: {text}")
    if not holds:
        missed.append(text)


def compare(name, path, over_pillow, over_vips=None, of_bare=None):
    run(PICTURE, "prepare", path, folder / "prepared.jpg", MAX_PIXELS, 85, "420")
    size = Image.open(folder / "prepared.jpg").size
    times = {}
    files = {"llava_zh": (folder / "prepared.jpg").read_bytes()}
    for _ in range(rounds):
        found = {"llava_zh": llava(path), "bare decode": bare(path)}
        for kernel in KERNELS:
            found[f"Pillow draft, {kernel}"], files[f"Pillow draft, {kernel}"] = pillow(path, size, KERNELS[kernel])
        found["vipsthumbnail"] = vips(path, size)
        for party, ms in found.items():
            times.setdefault(party, []).append(ms)
    found["Pillow, LANCZOS"], files["Pillow, LANCZOS"] = pillow(path, size, Image.LANCZOS, draft=False)
    files["vipsthumbnail"] = (folder / f"vips-{path.stem}.jpg").read_bytes()
    looks = fidelity(path, size, files)
    print(f"{name}, {path.stat().st_size / 1e6:.1f} MB to {size[0]} x {size[1]}"
          ": images/s of a core, ms (lowest to highest), dB by area and by LANCZOS")
    middle = {party: statistics.median(ms) for party, ms in times.items()}
    for party, ms in times.items():
        looked = "".join(f"{one:8.2f}" for one in looks.get(party, []))
        print(f"  {party:24}{1000 / middle[party]:7.1f}{middle[party]:8.1f} ({min(ms):.1f} to {max(ms):.1f}){looked}")

    def quotient(party):
        """Of each round, so that what slows the machine slows both."""
        return statistics.median(theirs / ours for theirs, ours in zip(times[party], times["llava_zh"]))

    best = min((party for party in times if party.startswith("Pillow draft")), key=lambda party: middle[party])
    bar(quotient(best) >= over_pillow, f"{quotient(best):.2f} times {best}, {over_pillow} wanted")
    if over_vips:
        bar(quotient("vipsthumbnail") >= over_vips, f"{quotient('vipsthumbnail'):.2f} times vipsthumbnail, {over_vips} wanted")
    if of_bare:
        share = 1 / quotient("bare decode")
        bar(share <= of_bare, f"{share:.2f} times the bare decode's time, at most {of_bare} wanted")
    mean = {party: sum(found) / 2 for party, found in looks.items()}
    bar(mean["llava_zh"] >= mean[best] - 0.05, f"{mean['llava_zh']:.2f} dB, {best} {mean[best]:.2f}")


def peak_memory(path):
    """Of a process that prepares one picture, beyond the file it has read."""
    done = subprocess.Popen([PICTURE, "refuse", str(path)], stdout=subprocess.PIPE)
    status, ms, megabytes, reason = done.communicate()[0].decode().split(None, 3)
    if status != "ok":
        sys.exit(f"{path}: {reason}")
    return int(megabytes)


def photo(name, width, height):
    path = folder / name
    if not path.exists():
        scene(width, height, grain=9).save(path, quality=90)
    return path


if os.getloadavg()[0] > 1:
    print("load %.1f: other work runs on this machine" % os.getloadavg()[0])
compare("12 megapixels", photo("photo-12.jpg", 4000, 3000), over_pillow=1.2, over_vips=2.5, of_bare=1.25)
compare("full HD", photo("photo-hd.jpg", 1920, 1080), over_pillow=1.5)
facts = statistics.median(1e9 / int(run(PICTURE, "facts", folder / "photo-12.jpg", 100000)) for _ in range(5))
print(f"facts of a JPEG's header: {facts:,.0f}/s")
bar(facts >= 100000, "100,000 headers/s wanted")
giant = folder / "photo-100.jpg"
if not giant.exists():
    photo_12 = Image.open(folder / "photo-12.jpg")
    photo_12.resize((11600, 8700), Image.BILINEAR).save(giant, quality=80)
print(f"100 megapixels, {giant.stat().st_size / 1e6:.1f} MB: {peak_memory(giant)} MB of memory")
bar(peak_memory(giant) < 24, "under 24 MB wanted")
sys.exit(len(missed) > 0)
