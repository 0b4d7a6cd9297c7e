"""Makers of hostile inputs: each takes a `random.Random`, knows its format, and breaks one thing or two.

The same seed makes the same bytes. Most inputs are nearly right: what is wrong everywhere is refused at the door.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from digitnn_fast.sample import load_sample

SAMPLE = load_sample()
NAMES = [f"pixel{pixel}" for pixel in range(784)]
SPELLINGS = ["{}", "{}.0", "{}e0", " {}", "{} ", "+{}", "00{}", '"{}"', "{}.", "{}.00e-0", '" {}"', "{}0e-1", "\t{}"]
STRANGE = ["", " ", "NaN", "inf", "-0", "-1", "256", "1e400", "1e4294967296", "True", "0x7", "1_0", "٣"]
STRANGE += ["00000000000000099.0", '"1"2', '""', "#7", "1,0", "'7'", "7;7", "1e-400", "99999999999999999999", "\ufeff7"]
STRANGE += ["7.5", "x" * 99]
ENDS = ["\n", "\r\n", "\n", "\r", "\n\n", "\r\r\n"]
WORDS = [None, True, -1, 0, 1, 2.5, 10**400, 2**63, "", "raw", "x" * 9000, [], {}, [[]], float("nan"), "\ud800"]


def mutated(random: Random, content: bytes, times: int = 1) -> bytes:
    """The bytes with some flipped, cut out, doubled, or put in."""
    data = bytearray(content)
    for _ in range(times):
        if not data:
            return bytes(data)
        at, length = random.randrange(len(data)), random.choice([1, 1, 2, 4, 8, 100, 5000])
        how = random.randrange(6)
        if how == 0:
            data[at] ^= 1 << random.randrange(8)
        elif how == 1:
            data[at : at + length] = random.randbytes(length)
        elif how == 2:
            del data[at : at + length]
        elif how == 3:
            data[at:at] = data[at : at + length]
        elif how == 4:
            data[at : at + length] = random.choice([b"\0", b"\xff", b"9", b'"', b",", b"\n"]) * length
        else:
            del data[at:]
    return bytes(data)


def csv(random: Random) -> bytes:
    """A train.csv or test.csv of few rows, in one of many spellings, right or wrong."""
    labelled, rows = random.random() < 0.5, random.choice([0, 1, 1, 2, 3, 6])
    names = ["label"] * labelled + NAMES
    start = random.randrange(1000)
    table: list[list[str]] = []
    for row in range(rows):
        pixels = SAMPLE.train_images[start + row].tolist()
        label = [int(SAMPLE.train_labels[start + row])] * labelled
        table.append([str(value) for value in label + pixels])
    lines = [list(names), *table]
    for _ in range(random.choice([0, 0, 1, 1, 2, 3])):
        _break_table(random, lines)
    end = random.choice(ENDS[:2]) if random.random() < 0.9 else random.choice(ENDS)
    last = (
        random.choice([end, end, "", end + end]) if random.random() < 0.9 else random.choice(["\x1a", end + ",,", "\0"])
    )
    text = end.join(",".join(line) for line in lines) + last
    content = random.choice(["", "", "", "\ufeff"]).encode() + text.encode("utf-8", "surrogatepass")
    if random.random() < 0.03:
        content = text.encode(random.choice(["utf-16", "latin-1", "utf-8"]), "replace")
    if random.random() < 0.2:
        content = mutated(random, content, random.choice([1, 1, 3]))
    if random.random() < 0.15:
        content = gzip.compress(content, mtime=0) + random.choice([b"", b"", b"junk", gzip.compress(b"1", mtime=0)])
        content = mutated(random, content) if random.random() < 0.5 else content
    return content


def _break_table(random: Random, lines: list[list[str]]) -> None:
    line = random.choice(lines)
    at = random.randrange(len(line)) if line else 0
    how = random.randrange(13)
    if how == 0:
        line[at : at + 1] = [random.choice(STRANGE)]
    elif how == 1:
        spelling = random.choice(SPELLINGS)
        line[:] = [spelling.format(cell) for cell in line]
    elif how == 2 and line:
        line[at] = random.choice(SPELLINGS).format(line[at])
    elif how == 3:
        del line[at : at + 1]
    elif how == 4:
        line.insert(at, random.choice(["0", "", "x", "id"]))
    elif how == 5:
        lines.insert(random.randrange(len(lines) + 1), random.choice([[""], [" "], ["#"], [","], ['"']]))
    elif how == 6:  # other columns, in another order
        order = list(range(len(line)))
        random.shuffle(order)
        for row in lines:
            if len(row) == len(order):
                row[:] = [row[place] for place in order]
    elif how == 7:
        for number, row in enumerate(lines):
            row.append(random.choice(["a", "1", "é", '"q,"', "😀"]) if number else "id")
    elif how == 8:
        lines.remove(line)
        if not lines:
            lines.append([""])
    elif how == 9 and line:
        line[at] = f'"{line[at]}' + random.choice(["", "\n", '"', '""', "\r\n"])
    elif how == 10 and lines[0]:
        lines[0][at % len(lines[0])] = random.choice(["pixel0", "label", "Label", "PIXEL5", "pixel784", "", " pixel7 "])
    elif how == 11:
        lines[0] = [f'"{name}"' for name in lines[0]]
    else:
        lines.append(list(line))


def packed(random: Random) -> bytes:
    """A zip of tables."""
    buffer = io.BytesIO()
    names = ["test.csv", "train.csv", "a/test.csv", "__MACOSX/._test.csv", "../test.csv", "x.txt", "TEST.CSV", "dir/"]
    names += ["n" * 30_000 + ".csv", "\n\x1b[31m.csv", "ünïcode.csv", "test.csv"]
    methods = [zipfile.ZIP_DEFLATED] * 6 + [zipfile.ZIP_STORED] * 3 + [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of names that occur twice
        for _ in range(random.choice([0, 1, 1, 1, 1, 2, 3])):
            content = b"" if random.random() < 0.05 else csv(random)
            archive.writestr(random.choice(names), content, random.choice(methods))
        if random.random() < 0.1:
            archive.comment = random.randbytes(random.choice([1, 65_535]))
    content = bytearray(buffer.getvalue())
    for _ in range(random.choice([0, 0, 1, 2])):  # a field of a local header, of the list, or of its end
        starts = [at for mark in (b"PK\1\2", b"PK\5\6", b"PK\3\4") for at in _places(content, mark)]
        if starts:
            at, size = random.choice(starts) + random.randrange(4, 46), random.choice([1, 2, 4])
            value = random.choice([0, 1, 8, 12, 14, 99, 2**31, 2**32 - 1, random.randrange(2**32)]) % 256**size
            content[at : at + size] = value.to_bytes(size, "little")
    if random.random() < 0.2:
        return mutated(random, bytes(content), 2)
    return random.choice([b"", b"", b"", b"junk" * 9]) + bytes(content)


def _places(content: bytes | bytearray, mark: bytes) -> list[int]:
    places, at = [], content.find(mark)
    while at >= 0:
        places.append(at)
        at = content.find(mark, at + 1)
    return places


def npy(array: Any, random: Random) -> bytes:
    """The file of an array, whose header may claim something else."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    content = buffer.getvalue()
    if random.random() < 0.03:
        claim = random.choice([(2**40,), (-1,), (0, 2**62), (), (784, 4), (1,) * 40, (2**31, 2**31)])
        descr = random.choice(["<f4", "<f8", ">f4", "|O", "<U9", "|V8", "<f2", "<c8", [("a", "<f4")], "<U536870911"])
        head = repr({"descr": descr, "fortran_order": random.random() < 0.3, "shape": claim}).encode()
        head += random.choice([b"", b"", b"(" * 500, b"\n\n"])
        content = b"\x93NUMPY\1\0" + struct.pack("<H", len(head) + 1) + head + b"\n" + content[128:]
    return mutated(random, content) if random.random() < 0.03 else content


def _strange_array(random: Random, array: Any) -> Any:
    return random.choice(
        [
            lambda: np.asarray(array)[..., :-1],
            lambda: np.asarray(array)[None],
            lambda: np.asarray(array).astype(random.choice(["f8", "f2", ">f4", "i8", "c8", "U5", "O", "?"])),
            lambda: np.asarray(array) * np.float32(random.choice([np.nan, np.inf, 1e38, -1, 1e-45, 0])),
            lambda: np.asarray(array).T,
            lambda: np.asarray(array).ravel(),
            lambda: np.zeros(random.choice([(), (0,), (784, 0), (3, 4, 5), (784, 70_000)][:4]), np.float32),
            lambda: np.array("text" * random.choice([1, 100])),
            lambda: np.full(3, 0x110000 + random.randrange(99), np.uint32).view("U3")[0:1],
            lambda: np.asfortranarray(array),
        ]
    )()


def npz(random: Random, arrays: dict[str, Any], breaks: int) -> bytes:
    """The file of arrays, of which some are strange, missing, or there twice."""
    arrays = dict(arrays)
    for _ in range(breaks):
        name = random.choice(list(arrays))
        how = random.randrange(5)
        if how == 0 and len(arrays) > 1:
            del arrays[name]
        elif how == 1:
            arrays[random.choice(["extra", "W1", "history", "../x"])] = arrays[name]
        else:
            try:
                with np.errstate(all="ignore"):
                    arrays[name] = _strange_array(random, arrays[name])
            except (ValueError, TypeError, IndexError):  # what can't be made can't be sent
                arrays[name] = np.zeros(3)
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if random.random() < 0.05 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", npy(array, random))
        for number in range(random.choice([0] * 30 + [1, 20, 300])):
            archive.writestr(f"more{number}", b"")
    content = buffer.getvalue()
    return mutated(random, content, 2) if random.random() < 0.15 else content


def model(random: Random, arrays: dict[str, Any]) -> bytes:
    """A model file whose metadata or arrays are not what they should be."""
    arrays = dict(arrays)
    metadata = json.loads(arrays["metadata"].item())
    for _ in range(random.choice([0, 0, 1, 1, 2])):
        place = (
            metadata
            if random.random() < 0.2 or not isinstance(metadata.get("training"), dict)
            else metadata["training"]
        )
        name = random.choice([*place, "unknown"]) if place else "unknown"
        if random.random() < 0.1:
            place.pop(name, None)
        else:
            place[name] = random.choice(WORDS)
        if isinstance(metadata.get("training"), dict) and random.random() < 0.1:
            metadata["training"]["settings"] = {random.choice(["a", "", "x" * 999]): random.choice(WORDS)}
    text = json.dumps(metadata)
    arrays["metadata"] = np.array(text if random.random() < 0.95 else mutated(random, text.encode()).decode("latin-1"))
    return npz(random, arrays, random.choice([0, 0, 0, 1, 2]))


def checkpoint(random: Random, arrays: dict[str, Any]) -> bytes:
    """A checkpoint of the right training, whose arrays are not what they should be."""
    arrays = dict(arrays)
    if random.random() < 0.3:
        arrays["begun"] = np.array(random.choice([0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 1e300, np.nan]))
    if random.random() < 0.2:
        rows = random.choice([0, 1, 2, 3, 50])
        arrays["history"] = np.full((rows, 4), random.choice([0.0, 0.5, 1.0, 2.0, -1.0, np.nan, 1e39]))
    return npz(random, arrays, random.choice([0, 0, 1, 2]))


def picture(random: Random) -> bytes:
    """A small picture in any format, damaged or not."""
    mode = random.choice(["L", "RGB", "RGBA", "1", "P", "LA", "I;16", "F", "CMYK"])
    size = random.choice([(28, 28), (1, 1), (3, 90), (90, 3), (64, 64), (200, 150)])
    grey = Image.fromarray(255 - SAMPLE.train_images[random.randrange(1000)].reshape(28, 28)).resize(size)
    if random.random() < 0.2:
        grey = Image.frombytes("L", size, random.randbytes(size[0] * size[1]))
    picture = grey.convert(mode) if mode != "I;16" else Image.fromarray(np.asarray(grey, np.uint16) * 257)
    kind = random.choice(["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "EPS", "ICO"])
    buffer = io.BytesIO()
    try:
        picture.save(buffer, kind)
    except (OSError, ValueError, KeyError):  # not every format has every mode
        buffer = io.BytesIO()
        grey.convert("RGB").save(buffer, kind)
    content = buffer.getvalue()
    if random.random() < 0.2:  # other sizes in the header
        at = random.choice([4, 6, 16, 18, 20, 22, 24, 26]) % len(content)
        content = content[:at] + struct.pack(random.choice("<>") + "I", random.randrange(2**32)) + content[at + 4 :]
    return mutated(random, content, random.choice([1, 1, 2, 5])) if random.random() < 0.7 else content


def shard(random: Random) -> bytes:
    """A .npy, an IDX file, a table, or a Parquet file, each also packed."""
    images = SAMPLE.train_images[: random.choice([0, 1, 5])]
    kind = random.randrange(4)
    if kind == 0:
        array = random.choice(
            [images, images / 255, images.reshape(-1, 28, 28), images.astype("f4") * 2, images.astype("i8") - 1]
        )
        with np.errstate(all="ignore"):
            content = npy(array if random.random() < 0.8 else _strange_array(random, array), random)
    elif kind == 1:
        head = b"\0\0" + bytes([random.choice([8, 8, 8, 9, 11, 12, 13, 14, 7]), random.choice([3, 3, 2, 1, 200])])
        sizes = (len(images) if random.random() < 0.8 else random.randrange(2**32), 28, 28)
        content = head + struct.pack(">III", *sizes) + images.tobytes()
    elif kind == 2:
        content = csv(random)
    else:
        content = b"PAR1" + random.randbytes(random.choice([8, 100])) + b"PAR1"
    if random.random() < 0.15:
        content = gzip.compress(content, mtime=0)
    return mutated(random, content) if random.random() < 0.4 else content
