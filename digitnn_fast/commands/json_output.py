"""What `--json` prints: the same as the reports, as numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitnn_fast.evaluation import Evaluation
    from digitnn_fast.network import Network, TrainingRecord


def print_json(data: Any) -> None:
    """One JSON object on stdout; NaN becomes null."""
    import json

    print(json.dumps(_plain(data), indent=1))


def _plain(data: Any) -> Any:
    """The same of what JSON has."""
    if hasattr(data, "_asdict"):
        data = data._asdict()
    if isinstance(data, dict):
        return {name: _plain(value) for name, value in data.items()}
    if hasattr(data, "tolist"):
        data = data.tolist()
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def evaluation_data(evaluation: Evaluation) -> dict[str, Any]:
    """What `print_evaluation` shows, as numbers."""
    names = "rows", "accuracy", "standard_error", "cross_entropy", "calibration_error", "confusion"
    shares = "precision", "recall", "f1", "support"
    columns = {name: getattr(evaluation, name).tolist() for name in shares}
    return {
        **{name: getattr(evaluation, name) for name in names},
        "digits": [{name: column[digit] for name, column in columns.items()} for digit in range(10)],
        "rejections": evaluation.rejections,
    }


def network_data(network: Network) -> dict[str, Any]:
    """The network and how it was trained."""
    from dataclasses import asdict

    parameters, record = sum(array.size for array in network.parameters), network.training
    shape = {"hidden": network.hidden, "parameters": parameters, "preprocessing": network.preprocessing}
    how = {name: value for name, value in asdict(record).items() if name != "history"} if record else None
    return {**shape, "training": how, **epochs_data(record)}


def epochs_data(record: TrainingRecord | None) -> dict[str, Any]:
    """Loss and accuracy after each epoch, on the rows learned from and on others."""
    from digitnn_fast.record import HISTORY_COLUMNS

    history = record.history.tolist() if record else []
    named = (dict(zip(HISTORY_COLUMNS, row, strict=True)) for row in history)
    return {"epochs": [{"epoch": number, **row} for number, row in enumerate(named, 1)]}
