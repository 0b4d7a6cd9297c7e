"""Train the network that says of a tiny picture whether it is dark on light: digitnn_fast/images/polarity.json.

    python -m bench.polarity [--data FOLDER]

It learns from crops of train.csv as `training/pictures.py` makes them, but for the rows that `bench.pictures` hides.
Prints how often it is right with those, of which it has learned none.
"""

from __future__ import annotations

import argparse
import base64
import json

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from bench.data import add_data_option, find
from bench.pictures import HIDDEN
from digitnn_fast import kaggle
from digitnn_fast.images.close import FEW
from digitnn_fast.images.polarity import FILE, STEPS, features, is_dark_in_light
from digitnn_fast.training.pictures import cropped

UNITS, EPOCHS, TIMES = 64, 40, 12  # of each row so many crops, some of which are too large


def crops(images: NDArray[np.uint8], random: np.random.Generator) -> list[NDArray[np.uint8]]:
    """How much light (h, w) tiny crops reflect, dark on light."""
    found = (~cropped(image.reshape(28, 28), random) for image in images)
    return [light for light in found if max(light.shape) <= FEW and light.min() < light.max()]


def learn(lights: list[NDArray[np.uint8]]) -> dict[str, object]:
    """The network as its file holds it."""
    seen = np.stack([features(light) for light in lights]) / STEPS
    network = MLPClassifier((UNITS,), batch_size=512, learning_rate_init=0.002, max_iter=EPOCHS, random_state=0)
    network.fit(np.concatenate([seen, -seen]), np.repeat([True, False], len(seen)))
    (incoming, outgoing), bias = network.coefs_, network.intercepts_[0]
    step = np.abs(incoming).max() / STEPS
    weights = {"incoming": incoming / step, "outgoing": outgoing / np.abs(outgoing).max() * STEPS}
    kept = {name: np.rint(values).astype(np.int8).tobytes() for name, values in weights.items()}
    texts = {name: base64.b64encode(content).decode() for name, content in kept.items()}
    return {**texts, "bias": np.rint(STEPS * bias / step).astype(int).tolist()}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    options = parser.parse_args()
    images, _ = kaggle.read_train(find(options.data, "train.csv"))
    hidden = np.arange(len(images)) % HIDDEN == 0
    random = np.random.default_rng(0)
    lights = [light for _ in range(TIMES) for light in crops(images[~hidden], random)]
    FILE.write_text(json.dumps(learn(lights), indent=1) + "\n", encoding="utf-8")
    others = crops(images[hidden], random)
    right = np.mean([is_dark_in_light(light) for light in others])
    print(f"{len(lights):,} crops learned; of {len(others):,} others {right:.2%} right")


if __name__ == "__main__":
    main()
