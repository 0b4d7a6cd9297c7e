"""A few lines to write ONNX graphs as formulas, and the preprocessings as such graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from digitnn_fast.reference.directions import FAINT, FINE, Cells
from digitnn_fast.reference.pooling import THIRDS
from digitnn_fast.sizes import PIXELS, SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray


OPSET = 13  # onnx 1.8 and onnxruntime 1.6
MIDDLE = SIDE // 2
EDGE = 1  # pixels at each side of the upright digit that no cell sees
WIDTH = 60  # of a row with its margin: it slides by up to 30 pixels, and sees none of the others


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

    def cast(self, value: str, dtype: type[np.generic], name: str = "") -> str:
        """`value` as another type."""
        from onnx import helper

        return self("Cast", value, name=name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

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

    def split(self, value: str, *sizes: int) -> list[str]:
        """The columns of `value` in groups of so many."""
        from onnx import helper

        outputs = [f"Split_{len(self.nodes)}_{group}" for group in range(len(sizes))]
        inputs = [value, self.constant(np.array(sizes))]
        self.nodes.append(helper.make_node("Split", inputs, outputs, name=f"Split_{len(self.nodes)}", axis=1))
        return outputs


def deskew(graph: Graph, levels: str, edge: int = 0) -> str:
    """`deskewing.deskew` of grey levels (n, 784): the same numbers but those at the edge, by its names and formulas.

    Sums and shares are exact in float32; quotients are of int32. Div cuts off what >> rounds down, so nothing that is
    divided is negative: places are counted from the first row and column, and the slope from -1. From `rise` and `run`
    are left out the terms that cancel each other.
    """
    g, float32, int32, side = graph, np.float32, np.int32, SIDE - 2 * edge
    y, x = (place.ravel() for place in np.mgrid[:SIDE, :SIDE])
    sums = [np.ones_like(x), 512 * (x - MIDDLE), 512 * (y - MIDDLE), x, y, 256 * y, 256 * x * y, 256 * y * y]
    eighths = g("Floor", g("Mul", levels, _float32(1 / 8)))
    moments = g.cast(g("MatMul", eighths, np.stack(sums, axis=1).astype(float32)), int32)
    m00, middle, first, m01, second = g.split(moments, 1, 2, 2, 1, 2)
    whole = g("Clip", m00, np.asarray(int32(1)))  # the mean of a black image is the middle
    mean = g("Div", g("Add", middle, g("Mul", whole, _int32(512 * MIDDLE + 1))), g("Mul", whole, _int32(2)))
    near = g("Div", g("Add", mean, _int32(128)), _int32(256))
    rest = g("Sub", first, g("Mul", near, m00))
    fall = g("Mul", rest, g("Gather", mean, np.array([1]), axis=1))
    rise, spread = g.split(g("Sub", g("Sub", second, g("Mul", near, m01)), fall), 1, 1)
    run = g("Div", spread, _int32(256))
    rise = g("Mul", rise, g("Clip", run, np.asarray(int32(0)), np.asarray(int32(1))))  # upright without a run
    whole = g("Clip", run, np.asarray(int32(1)))
    slope = g("Div", g("Add", rise, g("Div", g("Mul", whole, _int32(513)), _int32(2))), whole)
    slant = g("Sub", g("Clip", g.cast(slope, float32), *_between(0, 512)), _float32(256))

    # Of each row (n, side): where it comes from, how far it slides, and the share of the pixel beside.
    scales = np.array([[1, 0, 0], [0, 1, 1]], float32) / 256
    mean = g("Gemm", g.cast(mean, float32), scales, np.array([edge + 0.5 - MIDDLE, 1, 1 - MIDDLE], float32))
    mean_x, mean_y, down = g.split(mean, 1, 1, 1)
    source = g("Add", g("Floor", down), np.arange(side, dtype=float32) + edge + 1)
    lean = g("Floor", g("Add", g("Mul", slant, g("Sub", source, mean_y)), _float32(0.5)))
    slide = g("Add", g("Mul", lean, _float32(1 / 256)), mean_x)
    shift = g("Floor", slide)
    share = g("Unsqueeze", g("Sub", slide, shift), np.array([2]))

    # Below an empty row, and with a margin: what is outside the image is read from there.
    padded = g("Pad", g("Reshape", levels, np.array([0, SIDE, SIDE])), np.array([0, 1, 0, 0, 0, WIDTH - SIDE]))
    start = g("Add", g("Mul", source, _float32(WIDTH)), shift)
    start = g("Clip", start, *_between(0, SIDE * WIDTH + WIDTH - SIDE - 1))
    places = g("Add", g("Unsqueeze", g.cast(start, int32), np.array([2])), np.arange(side + 1, dtype=int32))
    places = g("Reshape", places, np.array([0, side * (side + 1)]))
    pixels = g("GatherElements", g("Reshape", padded, np.array([0, (SIDE + 1) * WIDTH])), places, axis=1)
    pixels = g("Reshape", pixels, np.array([0, side, side + 1]))
    here, beside = (g("Slice", pixels, np.array([k]), np.array([k + side]), np.array([2])) for k in (0, 1))
    mixed = g("Add", here, g("Mul", g("Sub", beside, here), share))
    return g("Reshape", g("Floor", g("Add", mixed, _float32(0.5))), np.array([0, side**2]))


def describe(graph: Graph, levels: str, cells: Cells = FINE) -> str:
    """`directions.describe` of grey levels (n, 26 * 26), those without the `EDGE`: the same numbers.

    By convolutions in float32, whose sums are multiples of 1/16 and so exact. A root is taken of half a unit more than
    the root of the specification, for it may be a little off, too.
    """
    g, float32 = graph, np.float32
    down, across = cells.windows()
    spans = [np.flatnonzero(window.any(axis=0)) for window in (down, across)]  # pixels that a cell sees
    (top, left), (bottom, right) = ([int(span[end]) for span in spans] for end in (0, -1))
    seen = g("Reshape", levels, np.array([0, 1, SIDE - 2 * EDGE, SIDE - 2 * EDGE]))
    if (top, left, bottom, right) != (EDGE + 1, EDGE + 1, SIDE - EDGE - 2, SIDE - EDGE - 2):
        first, last = np.array([top, left]) - EDGE - 1, np.array([bottom, right]) - EDGE + 2
        seen = g("Slice", seen, first, last, np.array([2, 3]))
    height, width = bottom + 1 - top, right + 1 - left
    # A filter for each row of the result, for engines like many filters: its x, then its y.
    slope, three = np.array([-1, 0, 1]), np.array([1, 2, 1])
    sobel = np.zeros((height, 2, 1, height + 2, 3), float32)
    for row in range(height):
        sobel[row, :, 0, row : row + 3] = np.outer(three, slope) / 4, np.outer(slope, three) / 4
    sums = g("Conv", seen, sobel.reshape(2 * height, 1, height + 2, 3), np.full(2 * height, 0.5, float32))
    gradient = g("Reshape", g("Floor", sums), np.array([0, 1, 2 * height, width]))
    x, y = cells.units()
    units = np.stack([-y, x], axis=1)[:, None, :, None].astype(float32)
    before, behind = np.roll(units, 1, axis=0), -np.roll(units, -1, axis=0)
    # min(before, behind) as behind + min(before - behind, 0), which onnxruntime computes while it convolves.
    less = g("Clip", g("Conv", gradient, before - behind, strides=[2, 1]), *_between(-(2.0**16), 0))
    parts = g("Relu", g("Add", g("Conv", gradient, behind, strides=[2, 1]), less))
    unit, half = 2.0**-cells.shift, 2.0 ** -(cells.shift + 1)
    if cells.pitch % 2 == 0:  # whole pixels: all windows are alike
        weights = down[0, top : top + cells.pitch]
        windows = np.broadcast_to(np.outer(weights, weights) * unit, (cells.directions, 1, cells.pitch, cells.pitch))
        strides = [cells.pitch // 2] * 2
        bias = np.full(cells.directions, half, float32)
        sums = g("Conv", parts, windows.astype(float32), bias, group=cells.directions, strides=strides)
    else:
        above, beside = down[:, top : bottom + 1] * unit, np.ascontiguousarray(across[:, left : right + 1].T)
        sums = g("MatMul", g("MatMul", above.astype(float32), parts), beside.astype(float32))
        sums = g("Add", sums, _float32(half))
    most = g("Clip", sums, *_between(0, 2**16 - 1))
    roots = g("ThresholdedRelu", g("Sqrt", g("Transpose", most, perm=[0, 2, 3, 1])), alpha=float(FAINT))
    values = g("Floor", roots)
    if cells.values < PIXELS:
        lines = np.array([0, cells.values // cells.across, cells.across])
        values = g("Pad", g("Reshape", values, lines), np.array([0, 0, 0, 0, *(SIDE - lines[1:])]))
    return g("Reshape", values, np.array([0, PIXELS]))


def pool(graph: Graph, levels: str) -> str:
    """`pooling.pool` of grey levels (n, 784), the same numbers; half a unit more is divided, for 1/9 is not exact."""
    g, thirds = graph, THIRDS.astype(np.float32)
    sums = g("MatMul", thirds, g("MatMul", g("Reshape", levels, np.array([0, SIDE, SIDE])), thirds.T))
    means = g("Floor", g("Mul", g("Add", sums, _float32(4.5)), _float32(1 / 9)))
    return g("Reshape", means, np.array([0, PIXELS]))


def _between(low: float, high: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The limits of a Clip."""
    return np.asarray(np.float32(low)), np.asarray(np.float32(high))


def _float32(value: float) -> NDArray[np.float32]:
    return np.array([value], np.float32)


def _int32(value: int) -> NDArray[np.int32]:
    return np.array([value], np.int32)
