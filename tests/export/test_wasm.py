"""Networks exported to WebAssembly, run in node."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from exports import DIGITS, NETWORKS, SMALL, assert_same, ways_of
from programs import HANGS, needs

from digitnn_fast.commands import app
from digitnn_fast.export import export
from digitnn_fast.export.wasm import TOOLS


@pytest.mark.once
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_digits_and_noise(network, tmp_path):
    needs("node", *TOOLS)
    noise = np.random.default_rng(0).integers(0, 256, (70, 784), np.uint8)
    for way in ways_of("wasm", network, tmp_path):
        assert_same(way, network, np.concatenate([DIGITS[:150], noise]))


USE = """
import { logits, predict, probabilities } from "./out/digits-wasm.mjs";
const images = new Uint8Array(784), integers: Int32Array = logits(images);
const digits: Uint8Array = predict(images), shares: Float32Array = probabilities(images);
// @ts-expect-error
predict([1, 2]);
"""
WRONG = """
import { predict } from "./out/digits-wasm.mjs";
const said = [new Uint8Array(783), [1, 2], new Uint8ClampedArray(3136)].map((images) => {
  try { return String(predict(images)); } catch (error) { return error.name; }
});
console.log(JSON.stringify([...said, predict(new Uint8Array(0)).length, predict(new Uint8Array(65 * 784)).length]));
"""


@pytest.mark.once
def test_its_types_and_what_it_refuses(tmp_path):
    needs("node", "tsc", *TOOLS)
    export(SMALL, "wasm", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"digits-wasm.mjs", "digits-wasm.d.mts"}
    (tmp_path / "use.mts").write_text(USE)
    types = ["tsc", "--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "use.mts"]
    done = subprocess.run(types, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout
    node = ["node", "--input-type=module", "--eval", WRONG]
    done = subprocess.run(node, cwd=tmp_path, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["RangeError", "TypeError", "TypeError", 0, 65]


def test_without_clang_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert app.run(["export", "small", "--to", "wasm", "--out", str(tmp_path / "out")]) == 2
    wanted = "error: --to wasm needs clang and wasm-ld; there is no clang and no wasm-ld here\n"
    assert capsys.readouterr().err == wanted
    assert not list(tmp_path.iterdir())
