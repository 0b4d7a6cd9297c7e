"""How a network was trained: the record that a model file carries, and what such a record can be."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from digitnn_fast.checks import require, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACCURACIES = ("heldout_accuracy", "cross_validated_accuracy", "estimated_accuracy")
HISTORY_COLUMNS = ("training_loss", "training_accuracy", "heldout_loss", "heldout_accuracy")
COUNTS = ("training_rows", "heldout_rows", "folds", "estimated_rows")
MOST_ROWS, MOST_SEED = 2**63 - 1, 2**128 - 1
LOWEST = np.array([-1e-3, 0, -1e-3, 0])  # of the history: a loss may be rounded to a little less than nothing
HIGHEST = np.array([3.5e38, 1, 3.5e38, 1])


def standard_error(accuracy: float, rows: int) -> float:
    """Standard error sqrt(p (1 - p) / n) of an accuracy p 0..1 measured on n rows (binomial); NaN of none."""
    return math.sqrt(accuracy * (1 - accuracy) / rows) if rows else math.nan


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """How a network was trained; ValueError for an impossible field.

    `history` is float64 (epochs, 4) with HISTORY_COLUMNS, losses in nats, accuracies 0..1. Without held-out
    rows `heldout_accuracy` and the held-out columns are NaN. `settings` are the recipe's hyperparameters.
    `cross_validated_accuracy` is that of the recipe on these rows, by so many `folds`; NaN without.
    `estimated_accuracy` is that of another network, of the same recipe, which learned without `estimated_rows` of
    these rows and was measured on them; NaN without. Its held-out columns are then those of the history.
    `temperature` has already divided the network's logits.
    """

    recipe: str
    seed: int
    data_digest: str
    training_rows: int
    heldout_rows: int
    heldout_accuracy: float
    history: NDArray[np.float64]
    settings: dict[str, int | float | str] = field(default_factory=dict)
    folds: int = 0
    cross_validated_accuracy: float = math.nan
    temperature: float = 1.0
    estimated_rows: int = 0
    estimated_accuracy: float = math.nan

    def __post_init__(self) -> None:
        """Check the fields and freeze the history."""
        for name in ("recipe", "data_digest"):
            require(isinstance(getattr(self, name), str), f"{name} must be text")
        for name in COUNTS:
            _check_integer(name, getattr(self, name), MOST_ROWS)
        _check_integer("seed", self.seed, MOST_SEED)
        require(self.folds <= self.training_rows, f"{self.folds} folds can't be of {self.training_rows} training rows")
        enough = self.estimated_rows <= self.training_rows
        require(enough, f"estimated_rows can't be {self.estimated_rows} of {self.training_rows} training rows")
        for name, count, what in (
            ("heldout_accuracy", self.heldout_rows, "held-out rows"),
            ("cross_validated_accuracy", self.folds, "folds"),
            ("estimated_accuracy", self.estimated_rows, "rows to estimate it by"),
        ):
            accuracy = getattr(self, name)
            require(isinstance(accuracy, float), f"{name} must be a float, got {shortened(repr(accuracy))}")
            possible = 0 <= accuracy <= 1 if count else math.isnan(accuracy)
            require(possible, f"{name} can't be {accuracy} with {count} {what}")
        warm = isinstance(self.temperature, float) and 0 < self.temperature < math.inf
        require(warm, f"temperature must be a positive float, got {shortened(repr(self.temperature))}")
        _check_settings(self.settings)
        object.__setattr__(self, "settings", dict(self.settings))
        check_history(self.history, self.heldout_rows > 0 or self.estimated_rows > 0)
        object.__setattr__(self, "history", frozen(self.history))

    @property
    def heldout_standard_error(self) -> float:
        """Standard error of the held-out accuracy; NaN without such rows."""
        return standard_error(self.heldout_accuracy, self.heldout_rows)

    @property
    def estimated_standard_error(self) -> float:
        """The same of the estimated accuracy; NaN without such rows."""
        return standard_error(self.estimated_accuracy, self.estimated_rows)

    @property
    def cross_validated_standard_error(self) -> float:
        """The same of the cross-validated accuracy, which all training rows take part in; NaN without folds."""
        return standard_error(self.cross_validated_accuracy, self.training_rows if self.folds else 0)


def record_of(values: Any, history: NDArray[np.float64]) -> TrainingRecord:
    """The record with these fields, which a stranger may have written; ValueError for any that can't be."""
    require(isinstance(values, dict), "the training record is no list of fields")
    known = {one.name: one for one in fields(TrainingRecord) if one.name != "history"}
    for name in values:
        require(name in known, f"the training record has a field {shortened(repr(name))}, which is not known")
    for name, one in known.items():
        needed = one.default is MISSING and one.default_factory is MISSING and name not in ACCURACIES
        require(name in values or not needed, f"the training record has no {name}")
    unknown = {name: math.nan for name in ACCURACIES if values.get(name) is None}  # JSON has no NaN
    return TrainingRecord(**{**values, **unknown, "history": history})


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A C-contiguous read-only copy, so that no caller can change a network behind its checks.

    What is already such a copy is not copied again: a wide network has 200 MB.
    """
    own = array.flags
    if own.owndata and own.c_contiguous and not own.writeable:
        return array
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def _check_integer(name: str, value: Any, most: int) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    require(good, f"{name} must be an int from 0 up, of {most.bit_length()} bits at most, got {shortened(repr(value))}")


def _check_settings(settings: Any) -> None:
    require(isinstance(settings, dict), "settings must be a dict")
    for key, value in settings.items():
        require(isinstance(key, str), "settings must have names")
        good = isinstance(value, int | float | str)
        require(good, f"settings: {shortened(key)} must be a number or text")


def check_history(history: Any, known: bool) -> None:
    """ValueError unless it is float64 (epochs, 4) of what can be; held-out columns are NaN unless `known`."""
    require(isinstance(history, np.ndarray), "history must be an array")
    require(history.dtype == np.float64, f"history must be float64, got {history.dtype}")
    columns = len(HISTORY_COLUMNS)
    fits = history.ndim == 2 and history.shape[1] == columns
    require(fits, f"history must have shape (epochs, {columns}), got {history.shape}")
    finite = np.isfinite(history if known else history[:, :2]).all()
    require(bool(finite), "history holds NaN or infinity")
    possible = ((history >= LOWEST) & (history <= HIGHEST)) | np.isnan(history)
    require(bool(possible.all()), "history holds a loss or an accuracy that can't be")
