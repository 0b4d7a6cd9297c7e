"""Files of digits, whatever they are: every command reads them here, by `DigitFile`.

`kinds` says what a file is, `contents` what is in it, `spool` keeps what a pipe brings. Tables of text are `kaggle`'s.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from digitnn_fast import kaggle
from digitnn_fast.checks import shortened
from digitnn_fast.files import Path, is_pipe
from digitnn_fast.formats.kinds import FormatError, Kind, Shared, identify
from digitnn_fast.formats.spool import Spool
from digitnn_fast.kaggle.form import LONGEST_ID
from digitnn_fast.kaggle.gathering import Gathering, joined
from digitnn_fast.kaggle.table import Opener, open_file, os_reason
from digitnn_fast.levels import check_labels_differ

# `contents`, and zipfile, are imported where they are used: a table needs neither, and they take 5 ms.
if TYPE_CHECKING:
    from digitnn_fast.formats.contents import Block, Contents

__all__ = ["Answers", "DigitFile", "FormatError", "Ids", "label_names"]

Bytes = NDArray[np.uint8]
Progress = Callable[[int, "int | None"], None]

# What the file of the labels of a file of images is called: MNIST's own names, and those of its kin.
LABEL_FILES = (("images", "labels"), ("idx3", "idx1")), (("imgs", "labels"),), (("x_", "y_"),), (("X_", "y_"),)
NO_ID = r"[\0\r\n]"  # what no line of a submission may hold


class Ids(NamedTuple):
    """The ids of the rows, and the name of their column."""

    name: str
    texts: list[str]


class Answers(NamedTuple):
    """The results (n, ...) of a function for all images, and the ids of the rows if they have some."""

    results: NDArray[Any]
    ids: Ids | None = None


class DigitFile:
    """A file of digits: CSV, Parquet, `.npy`, `.npz`, IDX; or `-`, standard input. ValueError, one line, for others.

    What comes through a pipe is read once and kept. `labels` names the file of their labels, if they are not with the
    images; else it is looked for beside these, by its usual name.
    """

    def __init__(self, path: Path, labels: Path | None = None) -> None:
        self.path, self._labels = os.fspath(path), labels
        self.name = "standard input" if path == "-" else os.fsdecode(path)

    @property
    def is_table(self) -> bool:
        """Whether it is text, which takes a kernel to read."""
        return self._kind is Kind.TABLE

    def read(self, threads: int | None = None, progress: Progress | None = None) -> Bytes:
        """Images (n, 784), with or without labels in the file."""
        if self._kind is Kind.TABLE:
            return kaggle.read_images(self.name, threads, progress, self._opener)
        return self._all(progress)[0]

    def read_labelled(
        self, threads: int | None = None, progress: Progress | None = None, train: bool = False
    ) -> tuple[Bytes, Bytes]:
        """Images (n, 784) and labels (n,): of an archive those to `train` on, or those to test with."""
        images, labels = self._labelled(threads, progress, train)
        check_labels_differ(labels, self.name)
        return images, labels

    def _labelled(self, threads: int | None, progress: Progress | None, train: bool) -> tuple[Bytes, Bytes]:
        beside = self.labels_file()
        if beside is None and self._kind is Kind.TABLE:
            return kaggle.read_train(self.name, threads, progress, self._opener)
        if beside is None:
            images, labels = self._all(progress, train=train, labelled=True)
            if labels is None:
                text = "with --labels, or beside it under the name that MNIST's own files have"
                raise FormatError(f"{self.name}: there are no labels with these images; give them {text}")
            return images, labels
        from digitnn_fast.formats.contents import check_pairs, read_label_file

        images = self.read(threads, progress)
        with self._shared(beside) as file:
            labels = read_label_file(file, beside)
        check_pairs(len(images), labels, f"{self.name} and {beside}")
        return images, labels

    def labels_file(self) -> str | None:
        """The file of the labels, if they are not with the images."""
        if self._labels is not None:
            return os.fsdecode(self._labels)
        if self._kind in (Kind.TABLE, Kind.PARQUET) or self._holds_several():
            return None
        folder, name = os.path.split(os.fsdecode(self.path))
        paths = (os.path.join(folder, other) for other in label_names(name))
        return next(filter(os.path.isfile, paths), None)

    def map(
        self, function: Callable[[Bytes], NDArray[Any]], threads: int | None = None, progress: Progress | None = None
    ) -> Answers:
        """The results of `function` for images to predict, and their ids; see `kaggle.map_test`.

        Only a table is read by threads, which call `function` at once.
        """
        if self._kind is not Kind.TABLE:
            with self._contents(progress) as contents:
                return self._answers(contents.blocks, function, contents.id_name)
        names, usual = kaggle.read_names(self.name, self._opener)
        own = kaggle.own_id(names)
        if own is None or "label" in usual:
            return Answers(kaggle.map_test(self.name, function, threads, progress, opener=self._opener))
        from digitnn_fast.formats.contents import Block, checked

        with self._shared() as file:
            size = file.size
        blocks = (Block(images, ids) for images, ids in kaggle.iter_images(self.name, own, self._opener))
        return self._answers(checked(blocks, self.name, size), function, own)

    def check(self, threads: int | None = None) -> Answers:
        """The same of a function that does nothing, which checks each row; there are as many results as images."""
        return self.map(lambda images: np.empty(len(images), np.bool_), threads)

    @cached_property
    def _opener(self) -> Opener:
        return Spool(self.path, self.name) if self.path == "-" or is_pipe(self.path) else self._open_path

    def _holds_several(self) -> bool:
        if self._kind is not Kind.NPZ:
            return False
        from digitnn_fast.formats.archives import names_of

        with self._shared() as file:
            return len(names_of(file)) > 1

    def _open_path(self, _name: Path) -> Any:
        return open_file(self.path)

    @contextmanager
    def _shared(self, path: str | None = None) -> Iterator[Shared]:
        """The file, or another one, open for several readers."""
        name = self.name if path is None else path
        with _reasons(name):
            file = self._opener(name) if path is None else open_file(path)
        with file, _reasons(name):
            yield Shared(file)

    @cached_property
    def _kind(self) -> Kind:
        with self._shared() as file:
            return identify(file, self.name)[0]

    @contextmanager
    def _contents(self, progress: Progress | None, train: bool = False, labelled: bool = False) -> Iterator[Contents]:
        from digitnn_fast.formats.contents import Wanted, read_contents

        with self._shared() as file:
            kind, stream = identify(file, self.name)
            found = read_contents(kind, stream, file, file.size, self.name, Wanted(train, labelled))
            yield found._replace(blocks=_told(found.blocks, file, progress)) if progress else found

    def _answers(
        self, blocks: Iterator[Block], function: Callable[[Bytes], NDArray[Any]], id_name: str | None
    ) -> Answers:
        results: list[NDArray[Any]] = []
        texts: list[str] = []
        for block in blocks:
            results.append(np.array(function(block.images)))
            if block.ids is not None:
                ids = block.ids.to_pylist() if hasattr(block.ids, "to_pylist") else block.ids
                texts += ["" if text is None else str(text).strip() for text in ids]
        if not results:
            raise FormatError(f"{self.name}: there are no images in it")
        if id_name is None:
            return Answers(np.concatenate(results))
        seen: set[str] = set()
        for row, text in enumerate(texts, 1):
            if not 0 < len(text) <= LONGEST_ID or re.search(NO_ID, text):
                raise FormatError(f"{self.name}: row {row}, column {id_name}: this can't be an id")
            if text in seen:
                raise FormatError(f"{self.name}: row {row}, column {id_name}: {shortened(text)} occurs twice")
            seen.add(text)
        return Answers(np.concatenate(results), Ids(id_name, texts))

    def _all(self, progress: Progress | None, **wanted: bool) -> tuple[Bytes, Bytes | None]:
        gathering = Gathering(self.name, FormatError)
        parts: list[Bytes] = []
        labels: list[Bytes] = []
        with self._contents(progress, **wanted) as contents:
            for block in contents.blocks:
                parts.append(gathering.keep(block.images))
                if block.labels is not None:
                    labels.append(block.labels)
        if not parts:
            raise FormatError(f"{self.name}: there are no images in it")
        return joined(parts), np.concatenate(labels) if labels else None


def label_names(name: str) -> Iterator[str]:
    """What the file of the labels may be called that lies beside a file of images of that name."""
    for changes in LABEL_FILES:
        other = name
        for old, new in changes:
            other = other.replace(old, new)
        if other != name:
            yield from (other.removesuffix(".gz") + ending for ending in ("", ".gz"))


def _told(blocks: Iterator[Block], file: Shared, progress: Progress) -> Iterator[Block]:
    """The blocks; after each, `progress` is told how far in the file its readers have come."""
    done = 0
    for block in blocks:
        done = max(done, file.tell())
        progress(done, file.size)
        yield block


@contextmanager
def _reasons(name: str) -> Iterator[None]:
    """FormatError for what the system says of a file."""
    try:
        yield
    except OSError as error:
        raise FormatError(": ".join(part for part in (name, os_reason(error)) if part)) from error
