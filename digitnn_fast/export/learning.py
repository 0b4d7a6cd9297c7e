"""What targets for small boards do before they write: train for other inputs, fine-tune to fewer bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.export.ways import Answers, Bytes, Fact, Options
from digitnn_fast.formats import DigitFile
from digitnn_fast.network import Network
from digitnn_fast.preprocessing import PREPROCESSINGS
from digitnn_fast.reference.quantization import LARGEST
from digitnn_fast.sample import load_sample
from digitnn_fast.training import train
from digitnn_fast.training.finetuning import fine_tune
from digitnn_fast.training.recipes import RECIPES, Recipe

FEW_UNITS, FEW_SEEDS = 16, 3  # 8 units: 99.3% with one seed, 98.1% with another
INPUTS = {row.inputs[0]: row for row in PREPROCESSINGS.values() if row.inputs}

Logits = Callable[[Bytes], NDArray[np.int32]]


def recipe_for(inputs: str, hidden: int) -> Recipe:
    """How a network for these inputs is trained."""
    row = INPUTS[inputs]
    assert row.inputs
    return replace(RECIPES[row.inputs[1]], hidden=hidden, preprocessing=row.name)


@dataclass(frozen=True)
class LearningOptions(Options):
    """How many bits a weight has, and the digits to learn from.

    With `inputs` another network is trained for them, as wide as the given one or with `hidden` units.
    """

    bits: int = 8
    inputs: str | None = None
    hidden: int | None = None
    train: str | None = None
    seed: int | None = None  # by default 0
    seeds: int | None = None
    threads: int | None = None

    def tries(self, hidden: int) -> int:
        """Networks to train, of which the one with the least training loss is kept: few units depend on luck."""
        return self.seeds or (FEW_SEEDS if hidden <= FEW_UNITS else 1)

    def check_width(self, hidden: int) -> None:
        """ValueError for more hidden units than the target can have."""

    def __post_init__(self) -> None:
        """ValueError for options that are out of range or do not go together."""
        check_choices(("bits", self.bits, LARGEST), ("inputs", self.inputs, (None, *INPUTS)))
        if self.inputs and not self.train:
            raise ValueError("--inputs needs --train: a network for other inputs has to be trained")
        if self.seeds and not self.inputs:
            raise ValueError("--seeds goes with --inputs: a network that is there is not trained again")
        if self.hidden and not self.inputs:
            raise ValueError("--hidden goes with --inputs: a trained network stays as wide as it is")
        for name, given in (("train", self.train), ("seed", self.seed)):
            if given is not None and not self.learns:
                raise ValueError(f"--{name} goes with --bits 4 or 2, or --inputs: 8 bits need no fine-tuning")

    @property
    def learns(self) -> bool:
        """Whether there is anything to train or to fine-tune."""
        return self.bits < 8 or self.inputs is not None

    @property
    def usual_loss(self) -> float:
        """Percent of the sample's digits that may get another label than in float32 if the user does not say."""
        return {8: 0.5, 4: 1.0, 2: 2.0}[self.bits] + (1 if self.inputs else 0)


def check_choices(*options: tuple[str, Any, Any]) -> None:
    """ValueError for an option (name, value, choices) that is none of the choices."""
    for name, value, choices in options:
        if value not in choices:
            named = " or ".join(str(choice) for choice in choices if choice)
            raise ValueError(f"--{name} must be {named}, got {value}")


def learn(network: Network, folder: Path, options: LearningOptions) -> Iterator[Fact]:
    """Train and fine-tune, if that is wanted, and leave the network in the folder."""
    if options.learns:
        learned, facts = _learned(network, options)
        yield from facts
        learned.save(folder / options.model)


def final(network: Network, folder: Path, options: LearningOptions) -> Network:
    """The network to export: the given one, or the one that `learn` left in the folder."""
    return Network.load(folder / options.model) if options.learns else network


def _learned(network: Network, options: LearningOptions) -> tuple[Network, list[Fact]]:
    """A network that learned from the user's digits or from the sample's, but never from the sample's test digits."""
    sample = load_sample()
    images, labels, name = sample.train_images, sample.train_labels, "the embedded sample"
    if options.train:
        images, labels = DigitFile(options.train).read_labelled(options.threads, train=True)
        tested = {image.tobytes() for image in sample.test_images}
        fresh = np.array([image.tobytes() not in tested for image in images])
        images, labels, name = images[fresh], labels[fresh], options.train
    if not len(labels):
        raise ValueError(f"{name}: there are no digits to learn from")
    facts, source = [], f"on {len(labels):,} rows of {name}"
    seed = options.seed or 0
    common: dict[str, Any] = {"seed": seed, "threads": options.threads, "on_epoch": options.on_epoch}
    if options.inputs:
        recipe = recipe_for(options.inputs, options.hidden or network.hidden)
        options.check_width(recipe.hidden)  # rather than after minutes
        tried = [
            train(images, labels, recipe, heldout=0, **common | {"seed": seed + number})
            for number in range(options.tries(recipe.hidden))
        ]
        losses = [float(one.training.history[-1][0]) for one in tried if one.training]
        network = tried[int(np.argmin(losses))]
        facts.append(("trained", f"for {options.inputs} inputs, {network.hidden} hidden units, {source}"))
        if len(tried) > 1:
            kept = seed + int(np.argmin(losses))
            each = ", ".join(f"{loss:.4f}" for loss in losses)
            facts.append(("seeds", f"{len(tried)}, with training losses of {each}; kept is that of seed {kept}"))
    if options.bits < 8:
        network = fine_tune(network, images, labels, options.bits, **common)
        facts.append(("fine-tuned", f"to {options.bits} bits, {source}"))
    return network, facts


def accuracy(logits: Logits) -> Fact:
    """Of a network that was trained for other inputs, on the sample's test digits."""
    sample = load_sample()
    right = np.mean(logits(sample.test_images).argmax(axis=1) == sample.test_labels)
    count = len(sample.test_labels)
    return "accuracy", f"{right:.2%} of the sample's {count:,} test digits, from which it did not learn"


def specified(logits: Logits, _: Network, images: Bytes) -> Answers:
    """The answers that these integers mean."""
    integers = logits(images)
    return Answers(integers.argmax(axis=1), logits=integers)
