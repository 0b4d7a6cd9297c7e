"""`.npz`: an archive of NumPy's arrays, as Keras' mnist.npz. A pickle in it is never read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

from digitnn_fast.checks import shortened
from digitnn_fast.formats.kinds import BUFFER, FormatError, damage
from digitnn_fast.kaggle.table import Directory

TRAIN = ("x_train", "y_train"), ("X_train", "y_train"), ("X_train", "Y_train"), ("train_images", "train_labels")
TEST = ("x_test", "y_test"), ("X_test", "y_test"), ("X_test", "Y_test"), ("test_images", "test_labels")
BOTH = ("images", "labels"), ("data", "target"), ("x", "y"), ("X", "y"), ("X", "Y"), ("arr_0", "arr_1")
END = ".npy"


def names_of(file: Any) -> list[str]:
    """The names of the arrays in a zip, whose list of members must not be too long; any exception."""
    with _archive(file) as archive:
        return [name.removesuffix(END) for name in archive.namelist() if name.endswith(END)]


def choose(names: Sequence[str], train: bool, labelled: bool, file: str) -> tuple[str, str | None]:
    """The names of images and labels, to `train` on or to test with; of the labels None if they are not wanted."""
    for images, labels in (*TRAIN, *BOTH) if train else (*TEST, *BOTH, *TRAIN):
        if images in names and (labels in names or not labelled):
            return images, labels if labelled else None
    if len(names) == 1 and not labelled:
        return names[0], None
    wanted = "x_train and y_train" if train else "x_test" + " and y_test" * labelled
    found = ", ".join(map(shortened, names[:8])) + (", ..." if len(names) > 8 else "")
    raise FormatError(f"{file}: there must be arrays {wanted}, or images{' and labels' * labelled}; there are {found}")


def open_array(file: Any, array: str, name: str) -> io.BufferedReader:
    """A stream of the array's .npy; FormatError unless it is stored or deflated, as NumPy writes it."""
    with damage(name):
        archive = _archive(file)
        archive.fp = file  # the bound was for the list of members, not for them
        member = archive.getinfo(array + END)
        # What bzip2 and LZMA unpack to has no bound.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormatError(f"{name}: compressed by another method than deflate; save it by numpy.savez_compressed")
        opened: Any = archive.open(member)
        return io.BufferedReader(opened, BUFFER)


def _archive(file: Any) -> zipfile.ZipFile:
    directory: Any = Directory(file)
    return zipfile.ZipFile(directory)
