"""A made-up preprocessing, the upright digit upside down: its row, and its one step in each language."""

from pathlib import Path

import numpy as np

from digitnn_fast.kernels import KERNELS, Kernel
from digitnn_fast.kernels.arguments import Mapped
from digitnn_fast.preprocessing import NO_IMAGES, Preprocessing, Step
from digitnn_fast.preprocessing.steps import DESKEW, STRAIGHTEN

HERE = Path(__file__).parent
KERNEL = Kernel("turning.turn", Mapped, home="upside_down")


def turn(images):
    """Images (n, 784) upside down: the specification."""
    return images.reshape(-1, 28, 28)[:, ::-1].reshape(-1, 784)


def _bind():
    return KERNELS[KERNEL.name].bind(NO_IMAGES[1], NO_IMAGES[1])


def _nodes(graph, images):
    return graph("Gather", images, np.arange(784).reshape(28, 28)[::-1].ravel(), axis=1)


TURN = Step(turn, KERNEL.name, _bind, _nodes, HERE / "turned.js", HERE / "turned.py", (STRAIGHTEN, HERE / "turn.c"))
ROW = Preprocessing("upside_down", "the upright digit upside down", "or those upside down", DESKEW, TURN)
