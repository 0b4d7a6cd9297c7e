"""From a file of digits and a model to a file of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digitnn_fast import kaggle
from digitnn_fast.network import Network
from digitnn_fast.predictor import Predictor, model_path
from digitnn_fast.preprocessing import predicting
from digitnn_fast.writing import check_output

if TYPE_CHECKING:
    from digitnn_fast.jobs.watch import Watch


def predict(
    test: str,
    out: str,
    watch: Watch,
    *,
    model: str | None = None,
    probabilities: bool = False,
    threads: int | None = None,
) -> int:
    """Predict a test.csv into a submission, or into a table of probabilities; the number of rows.

    ValueError or OSError, one line, for a bad file; then nothing was written.
    """
    check_output(out, [test, model])
    network = Network.load(model_path(model))
    watch.compile(*predicting(network.preprocessing, "float32"))
    predictor = Predictor(network, threads=1)  # map_test has threads of its own
    function = predictor.predict_proba if probabilities else predictor.predict
    with watch.stages("predict"), watch.bytes("predicting") as progress:
        answers = kaggle.map_test(test, function, threads, progress)
    if probabilities:
        with watch.stages("write"):
            kaggle.write_probabilities(out, answers)
    else:
        with watch.stages("write and validate"):
            kaggle.write_checked(out, answers)
    return len(answers)
