"""Networks exported to JavaScript, run in node."""

from __future__ import annotations

import json
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from exports import DIGITS, NETWORKS, SMALL, assert_same, ways_of
from picture_files import ink_of
from PIL import Image, ImageOps
from programs import HANGS, needs

from digitnn_fast import Predictor, preprocess
from digitnn_fast.export import export
from digitnn_fast.levels import check_levels

WEB_FILES = {"index.html", "digits.mjs", "digits.d.mts", "digits-int8.mjs", "digits-int8.d.mts"}


@pytest.mark.once
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_javascript_on_digits(network, tmp_path):
    needs("node")
    for way in ways_of("web", network, tmp_path):
        assert_same(way, network, DIGITS[:300])


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "out"
    export(SMALL, "web", folder)
    return folder


def in_node(folder: Path, code: str) -> object:
    """The JSON value of an expression in which `digits` and `int8` are the modules."""
    script = f"""
    import * as digits from "./digits.mjs"; import * as int8 from "./digits-int8.mjs";
    console.log(JSON.stringify({code}))"""
    command = ["node", "--input-type=module", "--eval", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.once
def test_the_modules_answer_what_their_types_say(web):
    needs("node")
    made = in_node(
        web,
        """[digits, int8].map((module) => {
            const images = new Uint8Array(2 * 784), clamped = new Uint8ClampedArray(784);
            return [Object.keys(module).sort(), module.predict(images).constructor.name, module.predict(clamped).length,
                module.probabilities(images).constructor.name, module.probabilities(images).length,
                module.logits(images).constructor.name, module.logits(images).length];
        })""",
    )
    names = ["logits", "predict", "preprocess", "probabilities"]
    assert made[0] == [names, "Uint8Array", 1, "Float32Array", 20, "Float64Array", 20]
    assert made[1] == [names, "Uint8Array", 1, "Float32Array", 20, "Int32Array", 20]
    for name, logits in (("digits", "Float64Array"), ("digits-int8", "Int32Array")):
        types = (web / f"{name}.d.mts").read_text(encoding="utf-8")
        assert f"logits(images: Images): {logits};" in types
        assert "/*" not in types.replace("/**", "")


USE = """
import { predict, preprocess, probabilities } from "./out/digits.mjs";
import { logits } from "./out/digits-int8.mjs";
const images = new Uint8Array(784);
const digits: Uint8Array = predict(images), shares: Float32Array = probabilities(new Uint8ClampedArray(784));
const integers: Int32Array = logits(images);
const drawn: Uint8Array | null = preprocess({ width: 1, height: 1, data: new Uint8ClampedArray(4) });
// @ts-expect-error
predict([1, 2]);
// @ts-expect-error
predict(preprocess({ width: 1, height: 1, data: new Uint8ClampedArray(4) }));
"""


@pytest.mark.once
def test_typescript_takes_the_types(web):
    needs("tsc")
    (web.parent / "use.mts").write_text(USE)
    command = ["tsc", "--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "use.mts"]
    done = subprocess.run(command, cwd=web.parent, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout


@pytest.mark.once
def test_wrong_arguments_in_javascript(web):
    needs("node")
    failures = in_node(
        web,
        """[new Uint8Array(783), new Float32Array(784), [1, 2], undefined, new Uint8ClampedArray(3136),
            { width: 28, height: 28, data: new Uint8ClampedArray(3136) }, new Uint8Array(784).fill(1, 9)
        ].flatMap((images) => ["predict", "probabilities", "logits"].map((name) => {
                try { return String(digits[name](images)); } catch (error) { return `${error.name}: ${error.message}`; }
            }))""",
    )
    assert set(failures[:3]) == {"RangeError: images must be 784 bytes each, but 783 were given"}
    assert all(text.startswith("TypeError: images must be a Uint8Array") for text in failures[3:12]), failures
    assert set(failures[12:18]) == {
        "TypeError: these are a canvas's colours, not grey levels; give what preprocess(imageData) makes of them"
    }
    assert all(text.startswith("RangeError: no level is above 1") for text in failures[18:]), failures


@pytest.mark.once
def test_the_modules_warn_of_what_is_hardly_meant_so(web):
    """As Python does, in the same words."""
    needs("node")
    images = np.zeros((6, 784), np.uint8)
    images[0, 99:] = images[1, 600:] = images[2, 117:] = images[3, :500] = 255  # most, few; no corner, a corner
    images[4, 700:] = 3
    (web.parent / "images").write_bytes(images.tobytes())
    said = in_node(
        web,
        """((data) => Array.from({ length: 6 }, (_, i) => {
            const said = [];
            console.warn = (text) => said.push(`images: ${text}`);
            digits.predict(new Uint8Array(data.subarray(784 * i, 784 * (i + 1))));
            return said;
        }))((await import("node:fs")).readFileSync("../images"))""",
    )
    for image, texts in zip(images, said, strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_levels(image)
        assert texts == [str(one.message) for one in caught]
    assert [len(texts) for texts in said] == [1, 0, 0, 1, 1, 0]


@pytest.mark.once
@pytest.mark.parametrize("inverted", [False, True])
def test_a_canvas_of_any_size_in_javascript(web, inverted):
    """The same grey levels as in Python, from the colours of a canvas."""
    needs("node")
    pictures = [Image.fromarray(255 - DIGITS[row].reshape(28, 28)).resize((97, 140)) for row in range(8)]
    pictures = [ImageOps.invert(picture) if inverted else picture for picture in pictures]
    (web.parent / "colours").write_bytes(b"".join(picture.convert("RGBA").tobytes() for picture in pictures))
    made = in_node(
        web,
        """((data) => Array.from({ length: 8 }, (_, i) => {
            const colours = Uint8ClampedArray.from(data.subarray(54320 * i, 54320 * (i + 1)));
            const pixels = digits.preprocess({ width: 97, height: 140, data: colours });
            return [Array.from(pixels), digits.predict(pixels)[0]];
        }))((await import("node:fs")).readFileSync("../colours"))""",
    )
    for picture, (pixels, digit) in zip(pictures, made, strict=True):
        expected = preprocess(picture)
        assert np.abs(expected.astype(int) - pixels).max() <= 1
        assert digit == Predictor(SMALL).predict(expected)
    blank = "digits.preprocess({ width: 20, height: 20, data: new Uint8ClampedArray(1600).fill(255) })"
    assert in_node(web, blank) is None
    nothing = blank.replace(".fill(255)", "")
    assert in_node(web, nothing) is None
    wrong = "[{}, null, { width: 2, height: 2, data: new Uint8ClampedArray(4) }]"
    refused = in_node(
        web, wrong + ".map((it) => { try { digits.preprocess(it); } catch (error) { return error.name; } })"
    )
    assert refused == ["TypeError"] * 3


@pytest.mark.once
@pytest.mark.parametrize("side", [160, 1100])
@pytest.mark.parametrize(("level", "opacity"), [(0, 1), (255, 1), (90, 0.4)])
def test_strokes_on_a_canvas_that_nobody_filled(web, side, level, opacity):
    """Which is transparent; a large one is made smaller first, as in Python."""
    needs("node")
    ink = ink_of(DIGITS[0].reshape(28, 28), side, 3 * side // 4)[:, 5:]
    colours = np.zeros((*ink.shape, 4), np.uint8)
    colours[ink > 0, :3] = level
    colours[..., 3] = 255 * opacity * ink
    (web.parent / "canvas").write_bytes(colours.tobytes())
    canvas = f"{{ width: {side - 5}, height: {side}, data: new Uint8ClampedArray(content) }}"
    read = f"((content) => Array.from(digits.preprocess({canvas})))"
    pixels = in_node(web, read + '((await import("node:fs")).readFileSync("../canvas"))')
    np.testing.assert_array_equal(pixels, preprocess(Image.fromarray(colours)))


def test_the_modules_load_nothing(web):
    assert {path.name for path in web.iterdir()} == WEB_FILES
    for path in web.glob("*.mjs"):
        text = path.read_text(encoding="utf-8")
        assert "import " not in text.replace('import { predict, probabilities } from "./digits.mjs"', "")
        assert not any(word in text for word in ("fetch(", "http", "require(", "/*model*/", "/*about*/"))
    assert (web / "digits-int8.mjs").stat().st_size < 135_000
