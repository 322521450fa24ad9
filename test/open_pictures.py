"""open_pictures.py FOLDER: every file below it, opened and decoded by Pillow as a trainer does.

Prints how many were, with Pillow's version on the next line; before that the files that were not, with the reason.
"""
import pathlib
import sys

import PIL
from PIL import Image

files = sorted(path for path in pathlib.Path(sys.argv[1]).rglob("*") if path.is_file())
opened = 0
for path in files:
    try:
        with Image.open(path) as picture:
            picture.convert("RGB").load()
        opened += 1
    except Exception as error:
        print(f"{path.name}: {error}")
print(opened)
print(PIL.__version__)
