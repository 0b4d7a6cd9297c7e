"""A few lines to write ONNX graphs as formulas, and the preprocessings as such graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.deskewing import MARGIN, SIDE
from digitnn_fast.directions import CELLS, DIRECTIONS, FAINT, SHIFT, UNIT_X, UNIT_Y, WINDOW
from digitnn_fast.network import Preprocessing
from digitnn_fast.pooling import THIRDS
from digitnn_fast.utils import PIXELS

OPSET, IR_VERSION = 21, 10  # onnx 1.16 and onnxruntime 1.18: the first with 16 bits in QuantizeLinear
WIDTH = SIDE + 2 * MARGIN


class Graph:
    """Nodes and constants of an ONNX graph; values are called by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, kind: str, *inputs: str | NDArray[Any], name: str = "", **attributes: Any) -> str:
        """Add an operator to names and constant arrays; the name of its result, its own number if none is given."""
        from onnx import helper

        output = name or f"{kind}_{len(self.nodes)}"
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, array: NDArray[Any], name: str = "") -> str:
        """The name of a constant array."""
        from onnx import numpy_helper

        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def cast(self, value: str, dtype: type[np.generic]) -> str:
        """`value` as another type."""
        from onnx import helper

        return self("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def model(self, outputs: dict[str, tuple[Any, tuple[int, ...]]], facts: dict[str, str]) -> bytes:
        """The file of the graph, checked: from `images` (n, 784), uint8, to outputs (n, *shape) of these types."""
        import onnx
        from onnx import helper

        def value(name: str, dtype: Any, shape: tuple[int, ...]) -> Any:
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["n", *shape])

        results = [value(name, *kind) for name, kind in outputs.items()]
        images = value("images", np.uint8, (PIXELS,))
        graph = helper.make_graph(self.nodes, "digits", [images], results, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="digitnn-fast")
        helper.set_model_props(model, facts)
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def floor_divide(self, numerator: str, denominator: str | NDArray[Any]) -> str:
        """Quotient of integers rounded down, as >> does; Div alone would round towards zero."""
        rest = self("Mod", numerator, denominator)
        return self("Div", self("Sub", numerator, rest), denominator)


def deskew(graph: Graph, images: str) -> str:
    """`deskewing.deskew` of images (n, 784), uint8, the same bytes; its names and formulas, all in integers."""
    g, int32 = graph, np.int32
    y, x = (place.astype(int32).ravel() for place in np.mgrid[:SIDE, :SIDE] - 14)
    weights = np.stack([np.ones_like(x), x, y, x * y, y * y], axis=1)
    moments = g.cast(g("MatMul", g.cast(images, int32), weights), np.int64)  # at most 784 * 255 * 196: int32 holds it
    m00, m10, m01, m11, m02 = (g("Gather", moments, np.array([column]), axis=1) for column in range(5))  # (n, 1) each
    mean_x, mean_y = (_divide(g, g("Mul", moment, _int(256)), m00) for moment in (m10, m01))
    rise = g("Sub", g("Mul", m00, m11), g("Mul", m10, m01))
    run = g("Sub", g("Mul", m00, m02), g("Mul", m01, m01))
    slant = g("Max", g("Min", _divide(g, g("Mul", rise, _int(256)), run), _int(256)), _int(-256))

    down = g.floor_divide(g("Add", mean_y, _int(256)), _int(256))
    source = g("Add", down, np.arange(SIDE))  # (n, 28): the row that each row comes from
    height = g("Sub", g("Mul", g("Sub", source, _int(14)), _int(256)), mean_y)
    lean = g.floor_divide(g("Add", g("Mul", slant, height), _int(128)), _int(256))
    slide = g("Add", g("Add", mean_x, _int(128)), lean)
    share = g("Mod", slide, _int(256))
    shift = g("Div", g("Sub", slide, share), _int(256))

    pads = np.array([0, SIDE, MARGIN, 0, SIDE, MARGIN])
    padded = g("Pad", g("Reshape", images, np.array([0, SIDE, SIDE])), pads)
    flat = g("Reshape", padded, np.array([0, 3 * SIDE * WIDTH]))
    first = g("Add", g("Mul", g("Add", source, _int(SIDE)), _int(WIDTH)), g("Add", shift, _int(MARGIN)))
    columns = np.arange(SIDE, dtype=int32)[None, None, :]
    places = g("Reshape", g("Add", g("Unsqueeze", g.cast(first, int32), _int(2)), columns), np.array([0, SIDE**2]))
    share = g("Unsqueeze", g.cast(share, int32), _int(2))  # (n, 28, 1)

    def pixels(places: str) -> str:
        """Those at these places, as int32 (n, 28, 28)."""
        return g.cast(g("Reshape", g("GatherElements", flat, places, axis=1), np.array([0, SIDE, SIDE])), int32)

    near, far = pixels(places), pixels(g("Add", places, _int32(1)))
    mixed = g("Add", g("Mul", near, g("Sub", _int32(256), share)), g("Mul", far, share))
    levels = g("Div", g("Add", mixed, _int32(128)), _int32(256))
    return g.cast(g("Reshape", levels, np.array([0, SIDE**2])), np.uint8)


def describe(graph: Graph, images: str) -> str:
    """`directions.describe` of images (n, 784), uint8, the same bytes; in integers but for the root.

    One direction after the other: all in one tensor took three times as long and twice the memory.
    """
    g, slope = graph, np.eye(SIDE, k=1, dtype=np.int32) - np.eye(SIDE, k=-1, dtype=np.int32)
    three, window = abs(slope) + 2 * np.eye(SIDE, dtype=np.int32), WINDOW.astype(np.int32)
    levels = g.cast(g("Reshape", images, np.array([0, SIDE, SIDE])), np.int32)

    def both(left: NDArray[Any], middle: str, right: NDArray[Any]) -> str:
        return g("MatMul", g("MatMul", left, middle), right)

    x, y = both(three, levels, slope.T), both(slope, levels, three)

    def cross(k: int) -> str:
        """u_k x g, (n, 28, 28)."""
        unit_x, unit_y = (int(unit[k % DIRECTIONS]) for unit in (UNIT_X, UNIT_Y))
        return g("Sub", g("Mul", y, _int32(unit_x)), g("Mul", x, _int32(unit_y)))

    parts = (g("Min", cross(k - 1), cross(k + 9)) for k in range(DIRECTIONS))  # u_{k+9} = -u_{k+1}
    sums = [both(window, g("Max", part, _int32(0)), window.T) for part in parts]
    cells = g("Concat", *(g("Reshape", one, np.array([0, CELLS**2, 1])) for one in sums), axis=2)
    values = g("Div", g("Reshape", cells, np.array([0, SIDE**2])), _int32(2**SHIFT))
    seen = g("Min", g("Where", g("Less", values, _int32(FAINT**2)), _int32(0), values), _int32(2**16 - 1))
    roots = g("Sqrt", g("Add", g.cast(seen, np.float32), np.array([0.5], np.float32)))  # 0.5: may be a little off
    return g.cast(roots, np.uint8)


def pool(graph: Graph, images: str) -> str:
    """`pooling.pool` of images (n, 784), uint8, the same bytes, in integers."""
    g, thirds = graph, THIRDS.astype(np.int32)
    levels = g.cast(g("Reshape", images, np.array([0, SIDE, SIDE])), np.int32)
    ninths = g("MatMul", g("MatMul", thirds, levels), np.ascontiguousarray(thirds.T))
    means = g("Div", g("Add", ninths, _int32(4)), _int32(9))
    return g.cast(g("Reshape", means, np.array([0, SIDE**2])), np.uint8)


# What each preprocessing makes of the graph's images.
PREPARE: dict[Preprocessing, Callable[[Graph, str], str]] = {
    "raw": lambda _, images: images,
    "deskewed": deskew,
    "directions": lambda graph, images: describe(graph, deskew(graph, images)),
    "pooled": lambda graph, images: pool(graph, deskew(graph, images)),
}


def _divide(graph: Graph, numerators: str, denominators: str) -> str:
    """As `deskewing.divide`."""
    g, two = graph, _int(2)
    whole = g("Max", denominators, _int(1))
    return g.floor_divide(g("Add", g("Mul", numerators, two), whole), g("Mul", whole, two))


def _int(value: int) -> NDArray[np.int64]:
    return np.array([value], np.int64)


def _int32(value: int) -> NDArray[np.int32]:
    return np.array([value], np.int32)
