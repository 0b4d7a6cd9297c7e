"""From a file of digits and a model to a file of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from digitnn_fast import kaggle
from digitnn_fast.engines import kernels_for
from digitnn_fast.files import STANDARD
from digitnn_fast.formats import DigitFile
from digitnn_fast.jobs.sources import form_of, predictor_for
from digitnn_fast.network import Network
from digitnn_fast.predictor import model_path
from digitnn_fast.writing import check_output

if TYPE_CHECKING:
    from digitnn_fast.jobs.watch import Watch


def predict(
    test: str,
    out: str,
    watch: Watch,
    *,
    model: str | None = None,
    sample: str | None = None,
    probabilities: bool = False,
    threads: int | None = None,
) -> int:
    """Predict a test file into a submission, or into a table of probabilities; the number of rows.

    See `sources.form_of` for how the submission is.

    ValueError or OSError, one line, for a bad file; then nothing was written.
    """
    check_output(out, [test, model, sample])
    given = kaggle.read_form(sample) if sample is not None else None
    network = Network.load(model_path(model))
    file = DigitFile(test)
    watch.compile(*kernels_for(network, "float32", table=file.is_table))
    predictor = predictor_for(file, network, threads)
    function = predictor.predict_proba if probabilities else predictor.predict_many
    with watch.stages("predict"), watch.bytes("predicting") as progress:
        answers, ids = file.map(function, threads, progress)
    form = form_of(ids, len(answers), given)
    if probabilities:
        with watch.stages("write"):
            kaggle.write_probabilities(out, answers, form)
    else:
        with watch.stages("write and validate"):
            kaggle.write_checked(out, answers, form=form)
    return len(answers)


class Checked(NamedTuple):
    """A valid submission: its rows, what it was compared with, and how many Kaggle's own file has if that is known."""

    rows: int
    compared: str | None
    usual: int | None


def validate(submission: str, test: str | None, sample: str | None, threads: int | None = None) -> Checked:
    """Check a submission, against a test file and a sample submission if they are given; ValueError, one line."""
    if [submission, test, sample].count(STANDARD) > 1:
        raise ValueError("standard input can't be two files")
    form, expected = kaggle.read_form(sample) if sample is not None else None, None
    if test is not None:
        file = DigitFile(test)
        counted = file.check(threads)
        expected = len(counted.results)
        form = form_of(counted.ids, expected, form)
    rows, id_name = kaggle.check_submission(submission, expected, form)
    return Checked(rows, test or sample, None if form else kaggle.TEST_ROWS.get(id_name))
