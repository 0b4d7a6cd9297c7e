"""The table `RECIPES`, which the commands, the tests and bench/ share."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.checks import require, shortened
from digitnn_fast.kernels import FIXED
from digitnn_fast.preprocessing import PREPROCESSINGS, predicting
from digitnn_fast.sizes import MAX_HIDDEN


@dataclass(frozen=True)
class Distortion:
    """The largest random rotation (tangent), relative change of scale, shear, shift and elastic displacement in pixels.

    `elastic` is how far a point of the lattice may move along each axis: the root mean square displacement of a
    pixel is 0.28 of it. See `distortion.elastic_field`.
    """

    rotation: float
    scale: float
    shear: float
    shift: float
    elastic: float = 0.0

    def limits(self) -> NDArray[np.int64]:
        """(5,): in 1/65536, as `distortion.distort` takes them."""
        limits = np.array([self.rotation, self.scale, self.shear, self.shift, self.elastic])
        return np.asarray(np.rint(limits * 65536), np.int64)


WHOLE = "hidden", "epochs", "batch", "repeats", "members"


def _is_within(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float | np.number) and bool(least <= value < most)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; ValueError for impossible settings."""

    name: str
    summary: str
    hidden: int
    epochs: int
    learning_rate: float
    batch: int | None = None  # images per step; None: all of them
    adam: bool = False  # Adam (Kingma and Ba 2015) with cosine decay; else plain gradient descent
    deviation: float | None = None  # of the first weights; None: He et al.
    distortion: Distortion | None = None
    repeats: int = 1  # epochs in a row that see the same distortions
    pictures: float = 0.0  # share of the images that are also learned from as they are read in pictures, cut out
    preprocessing: str = "raw"
    weight_decay: float = 0.0  # of a weight per step, times the learning rate (Loshchilov and Hutter 2019)
    smoothing: float = 0.0  # share of each label that is spread over all digits (Szegedy et al. 2016)
    members: int = 1  # networks whose logits are averaged: one network, that many times as wide
    half: bool = False  # weights rounded to float16, for a file of half the size

    def __post_init__(self) -> None:
        """ValueError for settings with which nothing can be trained."""
        for name in WHOLE:
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and bool(value >= 1)
            text = f"{name} must be an integer, 1 or more, got {shortened(repr(value))}"
            require(whole or (name == "batch" and value is None), text)
        most, each = MAX_HIDDEN // self.members, f" in each of {self.members} members" if self.members > 1 else ""
        require(self.hidden <= most, f"hidden must be 1 to {most:,}{each}, got {self.hidden:,}")
        rate, decay, smoothing = self.learning_rate, self.weight_decay, self.smoothing
        require(_is_within(rate, 0, math.inf) and rate > 0, f"the learning rate must be more than 0, got {rate}")
        require(_is_within(decay, 0, math.inf), f"the weight decay must be 0 or more, got {decay}")
        require(_is_within(self.pictures, 0, 1), f"pictures must be a share from 0 to less than 1, got {self.pictures}")
        require(_is_within(smoothing, 0, 1), f"the smoothing must be from 0 to less than 1, got {smoothing}")
        there = ", ".join(PREPROCESSINGS)
        known = self.preprocessing in list(PREPROCESSINGS)
        require(known, f"no preprocessing {shortened(repr(self.preprocessing))}: there are {there}")

    @property
    def full_batch(self) -> bool:
        """Whether each epoch is one step, on the same images as the last one."""
        return self.batch is None and self.distortion is None

    def kernels(self, table: bool = True) -> tuple[str, ...]:
        """The kernels for training by this recipe, from a `table` of text; the slowest to compile come first."""
        learn = (
            ("descent.fullbatch.epoch", "descent.listing.list_blocks")
            if self.full_batch
            else ("descent.minibatch.epoch",)
        )
        return (*learn, *predicting(self.preprocessing, FIXED, table=table))

    def settings(self) -> dict[str, int | float | str]:
        """The fields that differ from their defaults, as numbers and text: what a training record keeps."""
        settings: dict[str, int | float | str] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, np.generic):
                value = value.item()
            if isinstance(value, Distortion):
                settings |= {f"{one.name}_{key}": limit for key, limit in asdict(value).items()}
            elif value != one.default and one.name not in ("name", "summary"):
                settings[one.name] = value
        return settings


DESKEWED = Recipe(
    "deskewed",
    "64 hidden units on upright pixels: for what has to see a picture",
    *(64, 500, 0.006),
    batch=256,
    adam=True,
    distortion=Distortion(rotation=0.07, scale=0.07, shear=0.07, shift=0.6, elastic=3.0),
    preprocessing="deskewed",
    weight_decay=0.03,
)
FAST = Recipe(
    "fast",
    "64 hidden units on directions of edges, trained in seconds",
    *(64, 16, 0.012),
    batch=128,
    adam=True,
    distortion=Distortion(rotation=0.1, scale=0.1, shear=0.1, shift=0.7, elastic=2.5),
    repeats=2,
    preprocessing="directions",
    weight_decay=0.03,
)
SMALL = replace(
    FAST,
    name="small",
    summary="the same network, trained longer: the best of 64 hidden units",
    epochs=150,
    learning_rate=0.006,
    distortion=Distortion(rotation=0.15, scale=0.15, shear=0.15, shift=0.7, elastic=2.0),
    repeats=1,
)
ACCURATE = replace(
    SMALL,
    name="accurate",
    summary="1,024 hidden units: the fewest mistakes of one network",
    hidden=1024,
    epochs=60,
    learning_rate=0.002,
    smoothing=0.05,
    half=True,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        FAST,
        SMALL,
        ACCURATE,
        replace(ACCURATE, name="committee", summary="the mean of 5 such networks, as one of 5,120 units", members=5),
        DESKEWED,
        replace(
            DESKEWED,
            name="tiny",
            summary="for microcontrollers: deskewed, but 16 x 16 pixels",
            preprocessing="pooled",
        ),
        replace(
            DESKEWED,
            name="edges",
            summary="for microcontrollers: 32 hidden units on directions of edges",
            hidden=32,
            preprocessing="directions",
        ),
        Recipe(
            "pixels",
            "64 hidden units on pixels as they are: for comparisons and the smallest boards",
            *(64, 120, 0.008),
            batch=128,
            adam=True,
            distortion=Distortion(rotation=0.2, scale=0.12, shear=0.12, shift=1.5),
        ),
        Recipe("seed", "the original: full-batch gradient descent, 500 epochs at 0.1", 64, 500, 0.1, deviation=0.01),
    )
}


def find_recipe(recipe: str | Recipe) -> Recipe:
    """The recipe of that name, or the recipe itself; ValueError if there is none."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(f"no recipe {recipe!r}: there are {', '.join(RECIPES)}")
    return RECIPES[recipe]


def changed_recipe(recipe: str, **changes: int | float | str | None) -> Recipe:
    """The recipe of that name, its own fields replaced by those that are not None; ValueError if that can't be."""
    own = {name: value for name, value in changes.items() if value is not None}
    return replace(find_recipe(recipe), **own)  # type: ignore[arg-type]
