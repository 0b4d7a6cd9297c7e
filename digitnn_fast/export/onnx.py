"""The network in ONNX: raw uint8 images (n, 784) in, labels (n,) and probabilities (n, 10) out, for any n.

`digits-float32.onnx` is the network as it is. `digits-int8.onnx` is the quantised one: its first layer, 98% of the
work, behind DequantizeLinear, its second in int32. It also has logits (n, 10), the integers of
the specification. The preprocessing is part of the models, in whole numbers of float32 and in int32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from digitnn_fast.checks import reason_of
from digitnn_fast.export.card import card
from digitnn_fast.export.runtimes import ONNXRUNTIME, OPENVINO
from digitnn_fast.export.ways import Exporter, Fact, Options, Way, float_answers, integer_answers
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.preprocessing.graph import OPSET, Graph
from digitnn_fast.reference.quantization import MAX_PIXEL, QuantizedParameters, quantize
from digitnn_fast.sizes import CLASSES, PIXEL_SCALE

FILES = {"float32": "digits-float32.onnx", "int8": "digits-int8.onnx"}
KINDS = {"float32": float_answers, "int8": integer_answers}
EXACT = 2**24  # float32 holds all integers below


@dataclass(frozen=True)
class ONNXOptions(Options):
    """The opset that the files say they need; by default the lowest that they do need."""

    opset: int | None = None

    def __post_init__(self) -> None:
        """ValueError for one that is too old."""
        if self.opset is not None and self.opset < OPSET:
            raise ValueError(f"--opset must be {OPSET} or newer, not {self.opset}")


def write(network: Network, folder: Path, options: ONNXOptions) -> Iterable[Fact]:
    """Write and check both models."""
    if not find_spec("onnx"):
        raise ValueError("--to onnx needs the package onnx: pip install 'digitnn-fast[onnx]'")
    try:
        import onnx
    except Exception as error:  # an installation that does not fit this machine raises whatever it likes
        raise ValueError(f"--to onnx: the package onnx can't be imported: {reason_of(error)}") from error
    if options.opset and options.opset > onnx.defs.onnx_opset_version():
        newest = onnx.defs.onnx_opset_version()
        raise ValueError(f"--opset {options.opset} needs a newer onnx: {onnx.__version__} knows opset {newest}")
    opset = options.opset or OPSET
    (folder / FILES["float32"]).write_bytes(float32_model(network, opset))
    (folder / FILES["int8"]).write_bytes(int8_model(network, opset))
    exact = "for every image" if reach(quantize(network.parameters)) < EXACT else "unless float32 rounds a large sum"
    return [("opset", str(opset)), ("integers of int8", f"those of the specification {exact}")]


def ways(network: Network, folder: Path, options: ONNXOptions) -> Iterable[Way]:
    """The models in onnxruntime."""
    for kind, wanted in KINDS.items():
        yield ONNXRUNTIME.way(kind, wanted, folder / FILES[kind])


def further_ways(network: Network, folder: Path, options: ONNXOptions) -> Iterable[Way]:
    """The models in OpenVINO."""
    for kind, wanted in KINDS.items():
        yield OPENVINO.way(kind, wanted, folder / FILES[kind])


def float32_model(network: Network, opset: int = OPSET) -> bytes:
    """The ONNX file of the network in float32."""
    W1, b1, W2, b2 = network.parameters
    g = Graph()
    pixels = _prepared(g, network, np.float32)
    weights = g.constant(W1 * np.float32(PIXEL_SCALE), "W1"), g.constant(b1, "b1")
    hidden = g("Relu", g("Gemm", pixels, *weights), name="hidden")
    logits = g("Gemm", hidden, g.constant(W2, "W2"), g.constant(b2, "b2"), name="logits")
    g("ArgMax", logits, name="labels", axis=1, keepdims=0)
    g("Softmax", logits, name="probabilities", axis=1)
    return g.model({"labels": (np.int64, ()), "probabilities": (np.float32, (CLASSES,))}, card(network), opset)


def int8_model(network: Network, opset: int = OPSET) -> bytes:
    """The ONNX file of the quantised network.

    All scales are 1: then floats hold the specification's integers, and exactly.
    """
    parts = quantize(network.parameters)
    g, one = Graph(), np.float32(1)
    # Unsigned weights around 128: with signed ones, CPUs without VNNI add pairs of products in 16 bits, which overflow.
    weights = (parts.W1.astype(np.int16) + 128).astype(np.uint8)
    pixels = g("DequantizeLinear", _prepared(g, network, np.uint8), np.asarray(one), np.asarray(np.uint8(0)))
    W1 = g("DequantizeLinear", g.constant(weights, "W1"), np.asarray(one), np.asarray(np.uint8(128)))
    b1 = g("DequantizeLinear", g.constant(parts.b1, "b1"), np.asarray(one), np.asarray(np.int32(0)))
    sums = g("Gemm", pixels, W1, b1)
    hidden = g.cast(g("Mul", g("Relu", sums), np.array([2.0**-parts.shift], np.float32)), np.int32)  # cuts off, as >>
    W2, b2 = g.constant(parts.W2.astype(np.int32), "W2"), g.constant(parts.b2, "b2")
    logits = g("Add", g("MatMul", hidden, W2), b2, name="logits")
    g("ArgMax", logits, name="labels", axis=1, keepdims=0)
    exactly = g("Mul", g.cast(logits, np.float64), np.array([parts.scale]))  # they may have 31 bits, float32 has 24
    g.cast(g("Softmax", exactly, axis=1), np.float32, "probabilities")
    outputs = {"labels": (np.int64, ()), "probabilities": (np.float32, (CLASSES,)), "logits": (np.int32, (CLASSES,))}
    return g.model(outputs, card(network), opset)


def reach(parts: QuantizedParameters) -> int:
    """The largest number that any partial sum of the first layer can become, for any image and in any order."""
    W1 = parts.W1.astype(np.int64)
    sums = MAX_PIXEL * np.maximum(np.maximum(W1, 0).sum(axis=0), np.maximum(-W1, 0).sum(axis=0))
    return int((sums + np.abs(parts.b1.astype(np.int64))).max())


def _prepared(graph: Graph, network: Network, dtype: type[np.generic]) -> str:
    """The pixels as the network sees them, in uint8 or float32."""
    row = PREPROCESSINGS[network.preprocessing]
    if dtype is np.uint8 and not row.steps:
        return "images"
    value = graph.cast("images", np.float32)
    if row.picture:
        value = row.picture.onnx(graph, value, row.view.edge if row.view else 0)
    if row.view:
        value = row.view.onnx(graph, value)
    return graph.cast(value, dtype) if dtype is np.uint8 else value


EXPORTER = Exporter(
    "onnx",
    "ONNX models in float32 and int8, which saves bytes, not time (needs the extra `onnx`)",
    ONNXOptions,
    write,
    ways,
    further_ways=further_ways,
)
