"""Digits as people draw them on a page: strokes of points, in widths of the paper, by several ways of drawing.

Each of `WAYS` is `way(random, digit)`: a random generator and a digit 0..9 to a list of strokes. `STYLES` are digits as
some people write them and MNIST's hardly did; `styled` draws them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Strokes = list[NDArray[np.float64]]
Points = list[tuple[float, float]]

PIXELS = 320  # of the paper's width: a pointer's places are whole ones
STEPS = 8  # points between two of a shape

# Shapes of each digit, strokes of points from 0 to 1, right and down; a stroke is a curve through its points.
SHAPES: dict[int, list[list[Points]]] = {
    0: [[[(0.55, 0), (0.12, 0.2), (0, 0.55), (0.2, 0.95), (0.6, 1), (0.95, 0.7), (0.95, 0.3), (0.55, 0)]]],
    1: [
        [[(0.5, 0), (0.5, 0.5), (0.5, 1)]],
        [[(0.2, 0.25), (0.4, 0.12), (0.55, 0)], [(0.55, 0), (0.55, 0.5), (0.55, 1)]],
    ],
    2: [
        [[(0, 0.25), (0.25, 0.02), (0.75, 0.03), (0.9, 0.3), (0.55, 0.65), (0, 1)], [(0, 1), (0.5, 0.97), (1, 1)]],
        [[(0.05, 0.2), (0.45, 0), (0.9, 0.2), (0.7, 0.55), (0.3, 0.85), (0.05, 1), (0.4, 0.95), (1, 1)]],
    ],
    3: [
        [
            [(0.05, 0.1), (0.5, 0), (0.9, 0.2), (0.45, 0.45)],
            [(0.45, 0.45), (0.95, 0.6), (0.85, 0.9), (0.4, 1), (0, 0.9)],
        ]
    ],
    4: [
        [[(0.3, 0), (0.12, 0.3), (0, 0.6)], [(0, 0.6), (0.5, 0.58), (1, 0.6)], [(0.75, 0.2), (0.73, 0.6), (0.7, 1)]],
        [[(0.65, 0), (0.3, 0.35), (0, 0.65)], [(0, 0.65), (0.5, 0.65), (1, 0.65)], [(0.68, 0), (0.68, 0.5), (0.68, 1)]],
    ],
    5: [
        [
            [(0.2, 0), (0.12, 0.2), (0.1, 0.42)],
            [(0.1, 0.42), (0.6, 0.38), (0.95, 0.65), (0.6, 0.98), (0, 0.92)],
            [(0.2, 0), (0.55, 0.01), (0.95, 0)],
        ],
        [
            [(0.95, 0), (0.5, 0.02), (0.15, 0)],
            [(0.15, 0), (0.08, 0.42)],
            [(0.08, 0.42), (0.7, 0.4), (0.95, 0.7), (0.55, 1), (0, 0.92)],
        ],
    ],
    6: [[[(0.7, 0), (0.25, 0.3), (0, 0.7), (0.35, 1), (0.85, 0.88), (0.8, 0.6), (0.4, 0.52), (0.05, 0.75)]]],
    7: [
        [[(0, 0.02), (0.5, 0.03), (1, 0)], [(1, 0), (0.65, 0.45), (0.4, 1)]],
        [[(0, 0.02), (0.5, 0.03), (1, 0)], [(1, 0), (0.65, 0.45), (0.4, 1)], [(0.35, 0.5), (0.65, 0.5), (0.95, 0.5)]],
    ],
    8: [
        [
            [
                (0.8, 0.12),
                (0.45, 0),
                (0.12, 0.2),
                (0.5, 0.46),
                (0.92, 0.75),
                (0.5, 1),
                (0.05, 0.8),
                (0.45, 0.5),
                (0.85, 0.25),
                (0.75, 0.08),
            ]
        ]
    ],
    9: [
        [
            [(0.9, 0.15), (0.5, 0), (0.08, 0.22), (0.3, 0.5), (0.75, 0.42), (0.92, 0.15)],
            [(0.92, 0.15), (0.88, 0.55), (0.75, 1)],
        ]
    ],
}

STYLES: dict[str, tuple[int, list[list[Points]]]] = {
    "slashed zero": (
        0,
        [
            [SHAPES[0][0][0], [(0.85, 0.1), (0.5, 0.5), (0.12, 0.92)]],
            [SHAPES[0][0][0], [(1.05, -0.05), (0.5, 0.5), (-0.08, 1.05)]],
        ],
    ),
    "seven with a bar": (
        7,
        [
            SHAPES[7][1],
            [
                [(0, 0.1), (0.05, 0), (0.5, 0.03), (1, 0)],
                [(1, 0), (0.7, 0.45), (0.5, 1)],
                [(0.3, 0.55), (0.65, 0.5), (1, 0.48)],
            ],
        ],
    ),
    "open four": (
        4,
        [
            SHAPES[4][0],
            [
                [(0.1, 0), (0.05, 0.3), (0.08, 0.55)],
                [(0.08, 0.55), (0.5, 0.55), (0.95, 0.5)],
                [(0.85, 0), (0.82, 0.5), (0.8, 1)],
            ],
        ],
    ),
    "one with a foot": (
        1,
        [
            [
                [(0.15, 0.25), (0.4, 0.12), (0.5, 0)],
                [(0.5, 0), (0.5, 0.5), (0.5, 1)],
                [(0.1, 1), (0.5, 1), (0.9, 1)],
            ]
        ],
    ),
    "one with a flag": (
        1,
        [
            [[(0, 0.45), (0.35, 0.18), (0.65, 0)], [(0.65, 0), (0.65, 0.5), (0.65, 1)]],
            [[(0.15, 0.3), (0.4, 0.14), (0.65, 0)], [(0.65, 0), (0.65, 0.5), (0.65, 1)]],
        ],
    ),
    "nine as a hook": (
        9,
        [
            [
                [(0.85, 0.1), (0.45, 0), (0.1, 0.22), (0.4, 0.48), (0.85, 0.3), (0.88, 0.1)],
                [(0.88, 0.1), (0.92, 0.5), (0.75, 0.92), (0.3, 1), (0.05, 0.85)],
            ],
            [[(0.9, 0.2), (0.5, 0), (0.1, 0.2), (0.35, 0.48), (0.85, 0.35), (0.95, 0.15), (0.9, 0.6), (0.1, 0.9)]],
        ],
    ),
}


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points along the curve of Catmull and Rom through the points."""
    before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    knots = np.concatenate([[before], points, [after]])
    t = (np.arange(STEPS) / STEPS)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])


def _written(
    random: np.random.Generator,
    shapes: list[list[Points]],
    height: float,
    wide: float,
    middle: NDArray[np.float64],
) -> Strokes:
    """One of the shapes, shaken, slanted, so high and wide by its height, around a place; at whole pixels."""
    shape = shapes[random.integers(len(shapes))]
    moved = {point: np.array(point) + random.normal(0, 0.025, 2) for stroke in shape for point in stroke}
    slant = random.uniform(-0.1, 0.3)
    strokes = []
    for stroke in shape:
        curve = _curve(np.array([moved[point] for point in stroke])) - 0.5
        curve = np.stack([curve[:, 0] - slant * curve[:, 1], curve[:, 1]], axis=1) * (wide * height, height)
        strokes.append(np.round((curve + middle) * PIXELS) / PIXELS)
    return strokes


def normal(random: np.random.Generator, digit: int) -> Strokes:
    return _normal(random, SHAPES[digit])


def styled(random: np.random.Generator, style: str) -> Strokes:
    return _normal(random, STYLES[style][1])


def _normal(random: np.random.Generator, shapes: list[list[Points]]) -> Strokes:
    return _written(random, shapes, random.uniform(0.5, 0.8), random.uniform(0.5, 0.8), random.uniform(0.45, 0.55, 2))


def over_the_edge(random: np.random.Generator, digit: int) -> Strokes:
    """A third of it and more is beyond one edge of the paper or two."""
    middle = np.array([random.choice([0.05, 0.95]), random.choice([0.05, 0.5, 0.95])])
    return _written(
        random, SHAPES[digit], random.uniform(0.4, 0.8), random.uniform(0.5, 0.8), middle[:: random.choice([1, -1])]
    )


def along_the_edge(random: np.random.Generator, digit: int) -> Strokes:
    height = random.uniform(0.5, 0.9)
    middle = np.array([height / 2 * 0.6, 0.5]) + random.uniform(-0.02, 0.02, 2)
    return _written(random, SHAPES[digit], height, 0.6, middle)


def narrow(random: np.random.Generator, digit: int) -> Strokes:
    return _written(
        random, SHAPES[digit], random.uniform(0.5, 0.8), random.uniform(0.15, 0.3), random.uniform(0.4, 0.6, 2)
    )


def tiny(random: np.random.Generator, digit: int) -> Strokes:
    """15 to 40 pixels of 320."""
    return _written(
        random, SHAPES[digit], random.uniform(0.05, 0.12), random.uniform(0.5, 0.8), random.uniform(0.2, 0.8, 2)
    )


WAYS = {way.__name__.replace("_", " "): way for way in (normal, over_the_edge, along_the_edge, narrow, tiny)}
