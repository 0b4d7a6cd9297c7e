"""A few lines to write ONNX graphs as formulas, and the preprocessings as such graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from digitnn_fast.reference.deskewing import MARGIN
from digitnn_fast.reference.directions import FAINT, FINE, Cells
from digitnn_fast.reference.pooling import THIRDS
from digitnn_fast.sizes import PIXELS, SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray


OPSET = 13  # onnx 1.8 and onnxruntime 1.6
OPSET_16_BITS = 21  # onnx 1.16 and onnxruntime 1.18: the first with 16 bits in QuantizeLinear
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
        self.nodes.append(helper.make_node(kind, names, [output], name=output, **attributes))
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

    def model(
        self, outputs: dict[str, tuple[Any, tuple[int, ...]]], facts: dict[str, str], opset: int = OPSET
    ) -> bytes:
        """The file of the graph, checked: from `images` (n, 784), uint8, to outputs (n, *shape) of these types."""
        import onnx
        from onnx import helper

        def value(name: str, dtype: Any, shape: tuple[int, ...]) -> Any:
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["n", *shape])

        results = [value(name, *kind) for name, kind in outputs.items()]
        images = value("images", np.uint8, (PIXELS,))
        graph = helper.make_graph(self.nodes, "digits", [images], results, self.constants)
        opsets = [helper.make_opsetid("", opset)]
        oldest = helper.find_min_ir_version_for(opsets)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=oldest, producer_name="digitnn-fast")
        helper.set_model_props(model, facts)
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def floor_divide(self, numerator: str, denominator: str | NDArray[Any]) -> str:
        """Quotient of integers rounded down, as >> does; Div alone would round towards zero."""
        rest = self("Mod", numerator, denominator)
        return self("Div", self("Sub", numerator, rest), denominator)


def deskew(graph: Graph, images: str) -> str:
    """`deskewing.deskew` of images (n, 784), uint8, the same bytes; its names and formulas, all in int32."""
    g, int32 = graph, np.int32
    y, x = (place.astype(int32).ravel() for place in np.mgrid[:SIDE, :SIDE] - 14)
    weights = np.stack([np.ones_like(x), x, y, x * y, y * y], axis=1)
    eighths = g("Div", g.cast(images, int32), _int32(8))
    moments = g("MatMul", eighths, weights)
    m00, m10, m01, m11, m02 = (g("Gather", moments, np.array([column]), axis=1) for column in range(5))  # (n, 1) each
    mean_x, mean_y = (_divide(g, g("Mul", moment, _int32(256)), m00) for moment in (m10, m01))
    near_x, near_y = (g.floor_divide(g("Add", mean, _int32(128)), _int32(256)) for mean in (mean_x, mean_y))
    rest_x, rest_y = (g("Sub", m, g("Mul", near, m00)) for m, near in ((m10, near_x), (m01, near_y)))
    low = g("Sub", mean_y, g("Mul", near_y, _int32(256)))
    across = g("Sub", g("Sub", m11, g("Mul", near_y, m10)), g("Mul", near_x, rest_y))
    spread = g("Sub", m02, g("Mul", near_y, g("Add", m01, rest_y)))
    rise = g("Sub", g("Mul", across, _int32(256)), g("Mul", rest_x, low))
    run = g("Div", g("Sub", g("Mul", spread, _int32(256)), g("Mul", rest_y, low)), _int32(256))  # not negative
    slant = g("Max", g("Min", _divide(g, rise, run), _int32(256)), _int32(-256))

    down = g.floor_divide(g("Add", mean_y, _int32(256)), _int32(256))
    source = g("Add", down, np.arange(SIDE, dtype=int32))  # (n, 28): the row that each row comes from
    height = g("Sub", g("Mul", g("Sub", source, _int32(14)), _int32(256)), mean_y)
    lean = g.floor_divide(g("Add", g("Mul", slant, height), _int32(128)), _int32(256))
    slide = g("Add", g("Add", mean_x, _int32(128)), lean)
    share = g("Mod", slide, _int32(256))
    shift = g("Div", g("Sub", slide, share), _int32(256))

    pads = np.array([0, SIDE, MARGIN, 0, SIDE, MARGIN])
    padded = g("Pad", g("Reshape", images, np.array([0, SIDE, SIDE])), pads)
    flat = g("Reshape", padded, np.array([0, 3 * SIDE * WIDTH]))
    first = g("Add", g("Mul", g("Add", source, _int32(SIDE)), _int32(WIDTH)), g("Add", shift, _int32(MARGIN)))
    columns = np.arange(SIDE, dtype=int32)[None, None, :]
    places = g("Reshape", g("Add", g("Unsqueeze", first, _int(2)), columns), np.array([0, SIDE**2]))
    share = g("Unsqueeze", share, _int(2))  # (n, 28, 1)

    def pixels(places: str) -> str:
        """Those at these places, as int32 (n, 28, 28)."""
        return g.cast(g("Reshape", g("GatherElements", flat, places, axis=1), np.array([0, SIDE, SIDE])), int32)

    near, far = pixels(places), pixels(g("Add", places, _int32(1)))
    mixed = g("Add", g("Mul", near, g("Sub", _int32(256), share)), g("Mul", far, share))
    levels = g("Div", g("Add", mixed, _int32(128)), _int32(256))
    return g.cast(g("Reshape", levels, np.array([0, SIDE**2])), np.uint8)


def describe(graph: Graph, images: str, cells: Cells = FINE) -> str:
    """`directions.describe` of images (n, 784), uint8, the same bytes.

    By convolutions in float32, whose sums are integers below 2**24 and so exact, as is a quarter of them rounded down.
    """
    g, float32 = graph, np.float32
    levels = g.cast(g("Reshape", images, np.array([0, 1, SIDE, SIDE])), float32)
    down, across = cells.windows()
    spans = [np.flatnonzero(window.any(axis=0)) for window in (down, across)]  # pixels that a cell sees
    (top, left), (bottom, right) = ([int(span[end]) for span in spans] for end in (0, -1))
    ends = np.array([top - 1, left - 1]), np.array([bottom + 2, right + 2])
    seen = g("Slice", levels, *ends, np.array([2, 3]))
    slope, three = np.array([-1, 0, 1]), np.array([1, 2, 1])
    sobel = g("Conv", seen, np.stack([np.outer(three, slope), np.outer(slope, three)])[:, None].astype(float32))
    gradient = g("Floor", g("Mul", g("Add", sobel, np.array(2, float32)), np.array(0.25, float32)))  # (n, 2, y, x)
    x, y = cells.units()
    units = np.stack([-y, x], axis=1)[..., None, None].astype(float32)
    before, behind = (g("Conv", gradient, sign * np.roll(units, shift, axis=0)) for sign, shift in ((1, 1), (-1, -1)))
    parts = g("Relu", g("Min", before, behind))
    if cells.pitch % 2 == 0:  # whole pixels: all windows are alike
        weights = down[0, top : top + cells.pitch]
        windows = np.broadcast_to(np.outer(weights, weights), (cells.directions, 1, cells.pitch, cells.pitch))
        strides = [cells.pitch // 2] * 2
        sums = g("Conv", parts, windows.astype(float32), group=cells.directions, strides=strides)
    else:
        rows, columns = down[:, top : bottom + 1].astype(float32), across[:, left : right + 1].astype(float32)
        sums = g("MatMul", g("MatMul", rows, parts), np.ascontiguousarray(columns.T))  # (n, directions, rows, columns)
    lines = np.array([0, cells.values // cells.across, cells.across])
    values = g("Reshape", g("Transpose", sums, perm=[0, 2, 3, 1]), lines)
    squares = g("Floor", g("Mul", values, np.array(2.0**-cells.shift, float32)))
    most = g("Min", squares, np.array(2**16 - 1, float32))
    kept = g("Where", g("Less", most, np.array(FAINT**2, float32)), np.array(0, float32), most)
    roots = g.cast(g("Sqrt", g("Add", kept, np.array(0.5, float32))), np.uint8)  # 0.5: may be a little off
    if cells.values < PIXELS:
        roots = g("Pad", roots, np.array([0, 0, 0, 0, *(SIDE - lines[1:])]))
    return g("Reshape", roots, np.array([0, PIXELS]))


def pool(graph: Graph, images: str) -> str:
    """`pooling.pool` of images (n, 784), uint8, the same bytes, in integers."""
    g, thirds = graph, np.ascontiguousarray(THIRDS.T.astype(np.int32))
    sums = g.cast(g("Reshape", images, np.array([0, SIDE, SIDE])), np.int32)
    for _ in range(2):  # along the columns, then along the rows
        sums = g("Transpose", g("MatMul", sums, thirds), perm=[0, 2, 1])
    means = g("Div", g("Add", sums, _int32(4)), _int32(9))
    return g.cast(g("Reshape", means, np.array([0, SIDE**2])), np.uint8)


def _divide(graph: Graph, numerators: str, denominators: str) -> str:
    """As `deskewing.divide`."""
    g, two = graph, _int32(2)
    whole = g("Max", denominators, _int32(1))
    quotient = g.floor_divide(g("Add", g("Mul", numerators, two), whole), g("Mul", whole, two))
    return g("Where", g("Equal", denominators, _int32(0)), _int32(0), quotient)


def _int(value: int) -> NDArray[np.int64]:
    return np.array([value], np.int64)


def _int32(value: int) -> NDArray[np.int32]:
    return np.array([value], np.int32)
