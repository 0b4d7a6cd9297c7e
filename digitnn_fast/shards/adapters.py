"""Adapters for Ray and Spark: one callable each, for a column that holds images.

Neither engine is imported here. Both send a callable to their workers by pickle, and of a network that is its arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from digitnn_fast.network import Network
from digitnn_fast.predictor import Precision, Predictor, model_path

if TYPE_CHECKING:
    import pandas as pd

Model = str | Network | None


class RayDigits:
    """For `ray.data`: `dataset.map_batches(RayDigits, concurrency=2)`; each actor makes its predictor once.

    A batch of NumPy arrays gets a column `label` (n,), and with `probabilities` also `probabilities` (n, 10).
    `column` holds images (n, 784) or (n, 28, 28). The model is a name, a path or a Network.
    """

    def __init__(
        self,
        model: Model = None,
        column: str = "pixels",
        probabilities: bool = False,
        precision: Precision = "float32",
    ) -> None:
        self._predictor = Predictor(_network(model), threads=1, precision=precision)
        self._column, self._probabilities = column, probabilities

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The batch with its answers."""
        labels, shares = self._predictor.predict_both(_stacked(batch[self._column]))
        return {**batch, "label": labels, **({"probabilities": shares} if self._probabilities else {})}


def spark_digits(
    model: Model = None, column: str = "pixels", precision: Precision = "float32"
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """For Spark: `frame.mapInPandas(spark_digits(), "id long, label int")`; each task makes its predictor once.

    `column` holds images as arrays of 784 numbers or as 784 bytes; it is dropped, the other columns stay, and
    `label` comes last. The model is a name, a path or a Network.
    """
    network = _network(model)  # on the driver, which has the file

    def label(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        predictor = Predictor(network, threads=1, precision=precision)
        for frame in frames:
            labels = predictor.predict(_stacked(frame[column])).astype(np.int32)
            yield frame.drop(columns=column).assign(label=labels)

    return label


def _network(model: Model) -> Network:
    return model if isinstance(model, Network) else Network.load(model_path(model))


def _stacked(images: Any) -> Any:
    """Images (n, 784) of a column of arrays, lists or bytes."""
    if not len(images):
        return np.empty((0, 784), np.uint8)
    if isinstance(images, np.ndarray) and images.dtype != object:
        return images
    return np.stack([_numbers(image) for image in images])


def _numbers(image: Any) -> NDArray[Any]:
    return np.frombuffer(image, np.uint8) if isinstance(image, bytes | bytearray) else np.asarray(image)
