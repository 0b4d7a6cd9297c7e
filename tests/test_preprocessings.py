"""A network's preprocessing comes along wherever the network goes: one table of them, and every way to run it."""

import numpy as np
import pytest
from test_deskewing import HOSTILE

from digitnn_fast import Network, _pictures, deskewing, directions, kaggle, plots, pooling
from digitnn_fast.engines import prepare
from digitnn_fast.network import PREPROCESSINGS
from digitnn_fast.predictor import BUNDLED
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import initialize_parameters
from digitnn_fast.verification import verify

SPECIFICATIONS = {
    "raw": lambda images: images,
    "deskewed": deskewing.deskew,
    "directions": directions.describe_upright,
    "pooled": pooling.pool_upright,
}
DIGITS = load_sample().test_images
NETWORKS = {name: Network(*initialize_parameters(1, 40), name) for name in PREPROCESSINGS}


def assert_all_agree(network, images, at_least):
    verdicts = list(verify(network, images))
    ran = [verdict.name for verdict in verdicts if verdict.agrees is not None]
    assert not [verdict for verdict in verdicts if verdict.agrees is False]
    assert set(ran) >= set(at_least)


def test_each_has_a_specification():
    assert set(SPECIFICATIONS) == set(PREPROCESSINGS)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_images_are_prepared_as_specified(name):
    images = np.concatenate([DIGITS[:100], *HOSTILE.values()])
    np.testing.assert_array_equal(prepare(images, name), SPECIFICATIONS[name](images))


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_all_paths_agree(name):
    """Those that this machine has: C, ONNX and JavaScript, too."""
    images = np.concatenate([DIGITS[:100], *(hostile[:8] for hostile in HOSTILE.values())])
    assert_all_agree(NETWORKS[name], images, {"kernels float32", "kernels int8", "ONNX float32", "ONNX int8"})


@pytest.mark.once
@pytest.mark.parametrize("bundled", BUNDLED)
def test_all_paths_agree_on_bundled_models(bundled):
    assert_all_agree(Network.load(BUNDLED[bundled]), DIGITS[:500], {"kernels int8", "ONNX int8"})


@pytest.mark.once
@pytest.mark.parametrize("name", ["directions", "pooled"])
def test_all_paths_agree_on_all_of_kaggles_test_rows(kaggle_files, name):
    """Of these two; test_export.py and test_export_c.py do the same with pixels."""
    images = kaggle.read_test(kaggle_files[1])
    assert len(images) == 28_000
    assert_all_agree(NETWORKS[name], images, {"kernels int8", "ONNX int8"})


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_what_is_shown_is_a_picture(name, tmp_path):
    """The digit where the network looks for it, and of each weight a place."""
    from PIL import Image

    Image.fromarray(255 - DIGITS[0].reshape(28, 28)).resize((120, 120)).save(tmp_path / "digit.png")
    (reading,), _ = _pictures.read([str(tmp_path / "digit.png")], NETWORKS[name], False, False)
    pixels = np.stack([cut.pixels for cut in reading.cuts])
    np.testing.assert_array_equal(reading.seen, pixels if name == "raw" else deskewing.deskew(pixels))
    shown = plots.UNIT_PICTURES[name].places
    assert set(np.unique(shown).tolist()) - {-1} == set(range(784))
