"""A network's preprocessing comes along wherever the network goes: one table of them, and every way to run it."""

from functools import partial

import naive
import numpy as np
import pytest
from corners import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from digitnn_fast import Network, Predictor, kaggle, reference
from digitnn_fast.bundled import MODELS
from digitnn_fast.commands import reading
from digitnn_fast.engines import ENGINES
from digitnn_fast.preprocessing import AT_ONCE, PREPROCESSINGS, prepare, view_distorted
from digitnn_fast.reference import deskewing, directions, distortion, pooling
from digitnn_fast.reference.quantization import quantize
from digitnn_fast.sample import load_sample
from digitnn_fast.utils import get_predictions, initialize_parameters
from digitnn_fast.verification import verify

DIGITS = load_sample().test_images
NETWORKS = {name: Network(*initialize_parameters(1, 40), name) for name in PREPROCESSINGS}
STEPS = {  # in NumPy and in loops
    "deskewed": (deskewing.deskew, naive.deskew),
    "directions": (directions.describe, naive.describe),
    "pooled": (pooling.pool, naive.pool),
    "directions480": (
        partial(directions.describe, cells=directions.COARSE),
        partial(naive.describe, rows=6, columns=5, pitch=3.5, first=(6.5, 5), shift=2, across=20),
    ),
    "directions300": (
        partial(directions.describe, cells=directions.COARSER),
        partial(naive.describe, rows=5, columns=5, directions=12, pitch=4, first=(5.5, 5.5), shift=3, across=20),
    ),
}


def assert_all_agree(network, images, at_least):
    verdicts = list(verify(network, images))
    ran = [verdict.name for verdict in verdicts if verdict.agrees is not None]
    assert not [verdict for verdict in verdicts if verdict.agrees is False]
    assert set(ran) >= set(at_least)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_images_are_prepared_as_specified(name):
    images = np.concatenate([DIGITS[:100], *HOSTILE.values()])
    np.testing.assert_array_equal(prepare(images, name), PREPROCESSINGS[name].reference(images))
    assert prepare(images[:0], name).shape == (0, 784)


@pytest.mark.parametrize("name", PREPROCESSINGS)
@given(
    places=st.lists(st.tuples(st.integers(0, 783), st.integers(0, 255)), max_size=12), background=st.integers(0, 255)
)
def test_anything_is_prepared_as_specified(name, places, background):
    image = np.full((1, 784), background, np.uint8)
    for place, level in places:
        image[0, place] = level
    np.testing.assert_array_equal(prepare(image, name), PREPROCESSINGS[name].reference(image))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("images", [HOSTILE[name][:8] for name in HOSTILE], ids=HOSTILE)
def test_the_specification_is_what_loops_say(step, images):
    specified, loops = STEPS[step]
    for image, got in zip(images, specified(images), strict=True):
        assert loops(image.tolist()) == got.tolist()


@pytest.mark.parametrize("name", [name for name, row in PREPROCESSINGS.items() if row.view])
@pytest.mark.parametrize("threads", [1, 3])
def test_training_sees_what_is_made_of_distorted_digits(name, threads):
    limits = np.array([6000, 6000, 6000, 50_000, 200_000])
    for count in (1, AT_ONCE, 2 * AT_ONCE + 3):
        images = np.resize(DIGITS, (count, 784))
        expected = STEPS[name][0](distortion.distort(images, 12345, limits))
        np.testing.assert_array_equal(view_distorted(images, name, 12345, limits, threads), expected)


@pytest.mark.parametrize("name", PREPROCESSINGS)
@pytest.mark.parametrize("precision", ENGINES)
@pytest.mark.parametrize("rows", [0, 1, 7, AT_ONCE, 2 * AT_ONCE + 3])
def test_a_predictor_prepares_by_itself(name, rows, precision):
    images, network = np.resize(DIGITS, (rows, 784)), NETWORKS[name]
    seen = PREPROCESSINGS[name].reference(images)
    raw = Predictor(NETWORKS["raw"], precision=precision)
    for threads in (1, 3):
        predictor = Predictor(network, threads=threads, precision=precision)
        labels, probabilities = predictor.predict(images), predictor.predict_proba(images)
        np.testing.assert_array_equal(labels, raw.predict(seen))
        np.testing.assert_array_equal(probabilities, raw.predict_proba(seen))
        if precision == "int8":
            logits = reference.forward_int8(quantize(network.parameters), seen)
            np.testing.assert_array_equal(labels, get_predictions(logits) if rows else [])
        else:
            expected = reference.forward(network.parameters, seen).probabilities
            np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        for image, label, expected in zip(images[:3], labels[:3], probabilities[:3], strict=True):
            assert predictor.predict(image) == label
            np.testing.assert_array_equal(predictor.predict_proba(image), expected)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_a_streamed_file_is_prepared_too(name, tmp_path):
    rows = "".join(",".join(map(str, row)) + "\n" for row in DIGITS.tolist())
    (tmp_path / "test.csv").write_text(",".join(f"pixel{k}" for k in range(784)) + "\n" + rows)
    labels = kaggle.map_test(tmp_path / "test.csv", Predictor(NETWORKS[name], threads=1).predict, 2)
    np.testing.assert_array_equal(labels, Predictor(NETWORKS["raw"]).predict(PREPROCESSINGS[name].reference(DIGITS)))


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_all_paths_agree(name):
    """Those that this machine has: C, ONNX and JavaScript, too."""
    images = np.concatenate([DIGITS[:100], *(hostile[:8] for hostile in HOSTILE.values())])
    assert_all_agree(NETWORKS[name], images, {"kernels float32", "kernels int8", "ONNX float32", "ONNX int8"})


@pytest.mark.once
@pytest.mark.parametrize("bundled", MODELS)
def test_all_paths_agree_on_bundled_models(bundled):
    assert_all_agree(Network.load(MODELS[bundled].file), DIGITS[:500], {"kernels int8", "ONNX int8"})


@pytest.mark.once
@pytest.mark.parametrize("name", ["directions", "pooled"])
def test_all_paths_agree_on_all_of_kaggles_test_rows(kaggle_files, name):
    """Of these; export/test_ways.py and export/c/test_source.py do the same with pixels."""
    images = kaggle.read_test(kaggle_files[1])
    assert len(images) == 28_000
    assert_all_agree(NETWORKS[name], images, {"kernels int8", "ONNX int8"})


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_what_is_shown_is_a_picture(name, tmp_path):
    """The digit where the network looks for it, and of each weight a place."""
    from PIL import Image

    Image.fromarray(255 - DIGITS[0].reshape(28, 28)).resize((120, 120)).save(tmp_path / "digit.png")
    (seen,), _ = reading.read([str(tmp_path / "digit.png")], NETWORKS[name], False, False)
    pixels = np.stack([cut.pixels for cut in seen.cuts])
    np.testing.assert_array_equal(seen.seen, pixels if name == "raw" else deskewing.deskew(pixels))
    shown = PREPROCESSINGS[name].units.places
    assert set(np.unique(shown).tolist()) - {-1} >= set(range(784)) - set(PREPROCESSINGS[name].never_ink.tolist())
