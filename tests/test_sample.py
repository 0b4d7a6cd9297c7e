"""The embedded sample is what its README says."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from checkout import KAGGLE

from digitnn_fast import sample
from digitnn_fast.utils import get_accuracy

digits = sample.load_sample()


def test_shapes_and_values():
    assert [array.shape for array in digits] == [(10_000, 784), (10_000,), (2_000, 784), (2_000,)]
    assert {array.dtype for array in digits} == {np.dtype(np.uint8)}
    assert digits.train_images.min() == 0 and digits.train_images.max() == 255
    for labels in (digits.train_labels, digits.test_labels):
        shares = np.bincount(labels, minlength=10) / len(labels)
        assert len(shares) == 10 and shares.min() > 0.08 and shares.max() < 0.13


def test_no_image_twice():
    images = np.concatenate([digits.train_images, digits.test_images])
    assert len({image.tobytes() for image in images}) == 12_000


def test_labels_belong_to_the_images():
    """The nearest mean image alone gets four of five right; with shuffled labels, one of ten."""
    means = np.stack([digits.train_images[digits.train_labels == digit].mean(axis=0) for digit in range(10)])
    distances = -2.0 * digits.test_images @ means.T + (means**2).sum(axis=1)
    assert get_accuracy(distances.argmin(axis=1), digits.test_labels) > 0.75


def test_it_is_small():
    assert (Path(sample.__file__).parent / "digits.npz").stat().st_size <= 2.5e6


@pytest.mark.skipif(not KAGGLE.is_dir(), reason="Kaggle's files are not here")
def test_it_leaks_nothing():
    """Every row is a row of train.csv, label and pixels; none is a row of test.csv."""
    train_lines = set(gzip.decompress((KAGGLE / "train.csv.gz").read_bytes()).split(b"\r\n"))
    test_lines = set(gzip.decompress((KAGGLE / "test.csv.gz").read_bytes()).split(b"\r\n"))
    images = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    for label, image in zip(labels.tolist(), images.tolist(), strict=True):
        line = ",".join(map(str, image)).encode()
        assert b"%d,%s" % (label, line) in train_lines
        assert line not in test_lines
