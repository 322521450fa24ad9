"""scene.py WIDTH HEIGHT: a JPEG like a photograph, on standard output."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "image"))
from pictures import scene  # noqa: E402

scene(int(sys.argv[1]), int(sys.argv[2])).save(sys.stdout.buffer, "JPEG", quality=90)
