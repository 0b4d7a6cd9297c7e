"""Which files are pictures: by their names, and by their first bytes."""

from __future__ import annotations

import re

# The formats that are read, as Pillow calls them, and how their files end; none that runs another program, as EPS does.
FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm"),
}
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
# What these formats begin with; a table may begin with a column P1, or with BMI.
STARTS = re.compile(
    rb"\x89PNG|\xff\xd8\xff|RIFF....WEBP|BM....\0\0\0\0|GIF8|II[*+]\0|MM\0[*+]|P[1-6]\s+[\d#]", re.DOTALL
)


def is_picture(name: str) -> bool:
    """Whether a file's name ends as pictures do."""
    return name.lower().endswith(ENDINGS)


def begins_as_picture(content: bytes) -> bool:
    """Whether these are the first bytes of a picture in one of FORMATS."""
    return STARTS.match(content) is not None
