"""The weights inside the page and the modules: exactly the network's."""

import json
import subprocess

import numpy as np
import pytest
from programs import HANGS, needs

from digitnn_fast import Network
from digitnn_fast.bundled import MODELS
from digitnn_fast.page import _filled, model_text, page

SCRIPT = """
const model = decoded(JSON.parse(require("fs").readFileSync(0, "utf8")));
process.stdout.write(Buffer.concat(["W1", "b1", "W2", "b2"].map((name) => Buffer.from(model[name].buffer))));
"""


@pytest.mark.once
@pytest.mark.parametrize("name", [*MODELS, "tiny halves"])
def test_node_decodes_every_weight_exactly(name):
    """Also the least numbers of float16, which have no leading one."""
    needs("node")
    if name == "tiny halves":
        W1 = np.linspace(-1e-4, 1e-4, 784).astype(np.float16).astype(np.float32)[:, None]
        network = Network(W1, W1[0], np.full((1, 10), 65504, np.float32), np.zeros(10, np.float32))
    else:
        network = Network.load(MODELS[name].file)
    text = model_text(network.parameters)
    assert json.loads(text)["kinds"]["W1"] == ("Float32" if name == "small" else "Float16")
    script = _filled("network.js", {"preprocessing": ""}) + SCRIPT
    done = subprocess.run(["node", "-e", script], input=text.encode(), capture_output=True, timeout=HANGS, check=True)
    wanted = np.concatenate([array.ravel() for array in network.parameters]).astype("<f4")
    np.testing.assert_array_equal(np.frombuffer(done.stdout, "<f4"), wanted)


def test_the_page_of_accurate_has_half_the_bytes():
    assert len(page(Network.load(MODELS["accurate"].file))) < 2_300_000
