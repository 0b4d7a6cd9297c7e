"""Damaged and hostile picture files: one clear line for each, within bounded memory."""

from __future__ import annotations

import csv
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from picture_files import DIGITS, GREY, PREDICTOR, WIDE, chunk, page_of, png, saved
from PIL import Image
from programs import HANGS

from digitnn_fast import preprocess
from digitnn_fast.images import PictureError

MOST_BYTES = 300_000_000
PAGE = page_of(DIGITS[0])
ZEROS = zlib.compress(bytes(60_000_000), 9)

HOSTILE = {
    "empty": (b"", "not a picture"),
    "text": (b"label,pixel0\n1,2\n", "not a picture"),
    "a web page": (b"<!DOCTYPE html><svg width='9' height='9'></svg>", "not a picture"),
    "a pickle": (b"cos\nsystem\n(S'exit 1'\ntR.", "not a picture"),
    "an archive": (b"PK\x03\x04" + bytes(60), "not a picture"),
    "a script for another program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    "a bomb": (png(100_000, 100_000), "pixels"),
    "a smaller bomb": (png(9_000, 9_000), "would take more than 200,000,000 bytes"),
    "a GIF bomb": (b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + bytes(9), "pixels|damaged|not a picture"),
    "a BMP bomb": (
        b"BM" + struct.pack("<IHHI IiiHHIIiiII", 0, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "pixels",
    ),
    "a PPM bomb": (b"P6 99999 99999 255\n" + bytes(99), "pixels"),
    "text that unpacks to 60 MB": (
        png(9, 9, bytes(252), extra=chunk(b"zTXt", b"a\0\0" + ZEROS)),
        "damaged|nothing is written",
    ),
    "a colour profile that unpacks to 60 MB": (
        png(9, 9, bytes(252), extra=chunk(b"iCCP", b"a\0\0" + ZEROS)),
        "damaged|nothing is written",
    ),
    "pixels that unpack to 60 MB": (png(9, 9, bytes(60_000_000)), "nothing is written"),
    "no pixels": (png(0, 5), "not a picture|damaged|it has no pixels"),
    "truncated": (saved("PNG", PAGE)[:700], "damaged"),
    "half a JPEG": (saved("JPEG", PAGE)[:1500], "damaged"),
    "half a WebP": (saved("WEBP", PAGE)[:300], "damaged|not a picture"),
    "pixels missing": (png(50, 50, b"\0\1\2"), "damaged"),
    "floats that are no numbers": (
        saved("TIFF", Image.fromarray(np.full((9, 9), np.nan, np.float32))),
        "its pixels are no numbers",
    ),
    "16 bits, all alike": (saved("PNG", Image.fromarray(np.full((30, 30), 40_000, np.uint16))), "nothing is written"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name, tmp_path):
    content, reason = HOSTILE[name]
    path = tmp_path / "hostile.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=reason) as refusal:
        preprocess(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_pillow_images_are_bounded_as_files_are():
    """What was opened is decoded here, and may be damaged or too large."""
    jpeg = bytearray(saved("JPEG", PAGE))
    at = jpeg.index(b"\xff\xc0") + 5  # the size in the header; as a file it would be shrunk while it is read
    jpeg[at : at + 4] = struct.pack(">HH", 8000, 8000)
    for content, reason in (
        (HOSTILE["truncated"][0], "damaged: "),
        (HOSTILE["half a JPEG"][0], "damaged: "),
        (HOSTILE["a smaller bomb"][0], "9,000 x 9,000 pixels would take more than 200,000,000 bytes"),
        (jpeg, "8,000 x 8,000 pixels would take more than 200,000,000 bytes"),
    ):
        with pytest.raises(PictureError, match=f"^{reason}"):
            preprocess(Image.open(io.BytesIO(content)))
    with Image.open(io.BytesIO(saved("JPEG", page_of(DIGITS[0], size=1200, side=900)))) as large:
        preprocess(large)
        assert large.size == (1200, 1200), "it is the caller's"


def test_not_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        preprocess(tmp_path / "nothing.png")
    with pytest.raises(OSError, match=r"irectory|denied"):
        preprocess(tmp_path)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (np.zeros((50, 50), np.uint8), r"not ndarray; Image\.fromarray makes one of an array"),
        (None, "not NoneType"),
        ([1, 2], "not list"),
    ],
)
def test_not_a_picture_at_all(what, message):
    with pytest.raises(TypeError, match=f"^a picture is a path, .*, {message}$"):
        preprocess(what)


SOUND = [
    saved("PNG"),
    saved("JPEG"),
    saved("JPEG", progressive=True),
    saved("WEBP"),
    saved("GIF", GREY.convert("P"), save_all=True, append_images=[GREY.convert("P")] * 9),
    saved("PNG", GREY, save_all=True, append_images=[GREY] * 3),
    saved("BMP"),
    saved("TIFF", compression="tiff_lzw"),
    saved("TIFF", Image.fromarray(WIDE * 257)),
    saved("TIFF", Image.fromarray(WIDE / np.float32(255))),
    saved("PNG", Image.fromarray(WIDE * 257)),
    saved("PNG", GREY.convert("P")),
    saved("PPM"),
]
DAMAGE = st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=8)), max_size=6)
RUN = """
import sys
from digitnn_fast.commands import app
code = app.run(["image", "--csv", *sys.argv[1:]])
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(code, 1000 * int(peak[0]), file=sys.stderr)
"""


def write_damaged(folder: Path, count: int) -> None:
    @given(st.sampled_from(SOUND), DAMAGE, st.integers(20, 10_000))
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def write(content, damage, length):
        spoiled = bytearray(content)
        for place, junk in damage:
            place %= len(spoiled)
            spoiled[place : place + len(junk)] = junk
        written.append(folder / f"{len(written):04}.png")
        written[-1].write_bytes(bytes(spoiled[:length]))

    written: list[Path] = []
    write()


@pytest.mark.once
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_two_thousand_damaged_and_hostile_files_by_the_command(tmp_path):
    """Each gives a row or one line that says why not; the process never needs more than 300 MB."""
    for index, (content, _) in enumerate(HOSTILE.values()):
        (tmp_path / f"hostile{index:02}.png").write_bytes(content)
    write_damaged(tmp_path, 2000 - len(HOSTILE))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) >= 2000
    done = subprocess.run(
        [sys.executable, "-c", RUN, ".", "gone.png", "hostile00.png/below.png"],
        cwd=tmp_path, capture_output=True, text=True, timeout=HANGS, check=True,
    )  # fmt: skip
    *lines, last = done.stderr.splitlines()
    code, peak = map(int, last.split())
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert code == 2
    assert peak < MOST_BYTES
    assert "Traceback" not in done.stderr
    refused = [line.split(": ")[1] for line in lines if line.startswith("error: ")]  # libtiff adds some of its own
    everything = sorted([f"./{name}" for name in names] + ["gone.png", "hostile00.png/below.png"])
    assert sorted([row["file"] for row in rows] + refused) == everything
    assert len(rows) >= 20, "some were hardly damaged"
    assert all(0 <= int(row["label"]) <= 9 for row in rows)


@pytest.mark.once
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_of_the_largest_pictures(tmp_path):
    """Files as large as may be read, in a process of their own."""
    Image.new("RGBA", (7000, 7000), (9, 9, 9, 9)).save(tmp_path / "large.png", compress_level=1)
    Image.new("RGB", (10_900, 10_900), "white").save(tmp_path / "large.jpg")
    Image.new("RGB", (4000, 3100), "white").save(tmp_path / "large.webp")
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stderr.count("nothing is written") == 3, done.stderr
    assert int(done.stderr.split()[-1]) < MOST_BYTES


def test_floats_without_numbers(tmp_path):
    holes = WIDE / np.float32(255)
    holes[:5] = np.nan
    Image.fromarray(holes).save(tmp_path / "holes.tif")
    assert PREDICTOR.predict(tmp_path / "holes.tif") in range(10)
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(PictureError, match=r"nan\.tif: its pixels are no numbers$"):
        preprocess(tmp_path / "nan.tif")
