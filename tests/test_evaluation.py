"""Evaluation against plain loops, which count one image after the other."""

import math

import numpy as np
import pytest

from digitnn_fast import reference
from digitnn_fast.evaluation import Evaluation, calibration_error, evaluate, fit_temperature, standard_error
from digitnn_fast.utils import softmax


def naive_evaluation(labels, probabilities):
    """accuracy, mean loss, [(precision, recall, f1, support)], counts[true][answer] by counting."""
    counts = [[0] * 10 for _ in range(10)]
    losses = []
    for label, row in zip(labels, probabilities, strict=True):
        answer = max(range(10), key=lambda digit: (row[digit], -digit))
        counts[label][answer] += 1
        losses.append(-math.log(row[label]))
    per_digit = []
    for digit in range(10):
        hits = counts[digit][digit]
        answered = sum(counts[true][digit] for true in range(10))
        support = sum(counts[digit])
        precision = hits / answered if answered else math.nan
        recall = hits / support if support else math.nan
        mentioned = 0.0 if answered or support else math.nan
        f1 = 2 / (1 / precision + 1 / recall) if hits else mentioned
        per_digit.append((precision, recall, f1, support))
    accuracy = sum(counts[digit][digit] for digit in range(10)) / len(labels)
    return accuracy, math.fsum(losses) / len(losses), per_digit, counts


def random_answers(rows, digits, seed):
    random = np.random.default_rng(seed)
    labels = random.choice(digits, rows)
    logits = random.normal(size=(rows, 10))
    logits[np.arange(rows), labels] += random.choice([0.0, 3.0], rows)
    powers = np.exp(logits)
    return labels, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 2, 30, 1000])
@pytest.mark.parametrize("digits", [[3], [0, 9], list(range(10))])
def test_agrees_with_loops(rows, digits):
    labels, probabilities = random_answers(rows, digits, seed=rows)
    evaluation = evaluate(labels, probabilities)
    accuracy, loss, per_digit, counts = naive_evaluation(labels.tolist(), probabilities.tolist())
    assert evaluation.confusion.tolist() == counts
    assert evaluation.rows == rows
    assert evaluation.accuracy == pytest.approx(accuracy, abs=1e-15)
    assert evaluation.cross_entropy == pytest.approx(loss, rel=1e-12)
    found = zip(evaluation.precision, evaluation.recall, evaluation.f1, evaluation.support, strict=True)
    for got, expected in zip(found, per_digit, strict=True):
        assert got == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_an_example_by_hand():
    """Six zeros, of which one is taken for a 1; four ones, of which one is taken for a 0 and one for a 2."""
    labels = [0] * 6 + [1] * 4
    answers = [0, 0, 0, 0, 0, 1, 1, 1, 0, 2]
    evaluation = evaluate(labels, np.eye(10)[answers] * 0.91 + 0.009)
    assert evaluation.accuracy == 0.7
    assert evaluation.standard_error == pytest.approx(math.sqrt(0.7 * 0.3 / 10))
    assert evaluation.confusion[:2, :3].tolist() == [[5, 1, 0], [1, 2, 1]]
    assert evaluation.support[:3].tolist() == [6, 4, 0]
    assert evaluation.precision[:3] == pytest.approx([5 / 6, 2 / 3, 0])
    assert evaluation.recall[:3] == pytest.approx([5 / 6, 1 / 2, math.nan], nan_ok=True)
    assert evaluation.f1[:3] == pytest.approx([5 / 6, 4 / 7, 0])
    assert evaluation.cross_entropy == pytest.approx(-(7 * math.log(0.919) + 3 * math.log(0.009)) / 10)


def test_a_digit_that_nobody_mentions_is_unknown_not_zero():
    evaluation = evaluate([0], np.eye(10)[[0]])
    for shares in (evaluation.precision, evaluation.recall, evaluation.f1):
        assert shares[0] == 1
        assert np.isnan(shares[1:]).all()


def test_the_lowest_digit_of_a_tie():
    assert evaluate([4], np.full((1, 10), 0.1)).confusion[4].tolist() == [1] + [0] * 9


def test_calibration_error_by_hand():
    """Ten answers of probability 0.8, six right; ten of 0.5 (another bin), five right: (10 * 0.2 + 10 * 0) / 20."""
    table = np.full((20, 10), 0.02)
    table[:10] = 0.2 / 9
    table[:10, 3], table[10:, 4] = 0.8, 0.5
    table[10:, 5:] = 0.1
    table[10:, :4] = 0
    labels = np.array([3] * 6 + [1] * 4 + [4] * 5 + [2] * 5)
    assert calibration_error(labels, table) == pytest.approx(0.1)
    assert evaluate(labels, table).calibration_error == pytest.approx(0.1)


def test_probabilities_that_are_true_are_calibrated():
    random = np.random.default_rng(0)
    table = random.dirichlet(np.full(10, 0.3), 100_000)
    labels = (table.cumsum(axis=1) < random.random((100_000, 1))).sum(axis=1).clip(0, 9)
    assert calibration_error(labels, table) < 0.006
    sharper = table**2 / (table**2).sum(axis=1, keepdims=True)
    assert calibration_error(labels, sharper) > 0.1
    assert fit_temperature(labels, table) == pytest.approx(1, abs=0.02)
    assert fit_temperature(labels, sharper) == pytest.approx(2, abs=0.04)


def test_temperature_has_the_least_loss():
    random = np.random.default_rng(1)
    logits, labels = random.normal(0, 3, (500, 10)), random.integers(0, 10, 500)
    logits[np.arange(500), labels] += 3
    best = fit_temperature(labels, softmax(logits))
    losses = [reference.cross_entropy(softmax(logits / t), labels) for t in (best / 1.02, best, best * 1.02)]
    assert losses[1] == min(losses)
    assert fit_temperature(labels[:0], logits[:0]) == 1
    certain = np.eye(10)[labels]
    assert fit_temperature(labels, certain) == pytest.approx(0.05, rel=0.01)  # as far as it goes
    assert fit_temperature((labels + 1) % 10, certain) == pytest.approx(20, rel=0.01)


def test_rejections_by_hand():
    table = np.full((4, 10), 0.0)
    table[:, 0], table[:, 1] = [0.95, 0.9, 0.6, 0.4], [0.05, 0.1, 0.4, 0.3]
    table[3, 2] = 0.3
    rejections = evaluate([0, 1, 0, 5], table).rejections
    assert [line.threshold for line in rejections] == [0.5, 0.9, 0.99, 0.999]
    assert rejections[0] == (0.5, 0.75, pytest.approx(2 / 3))
    assert rejections[1] == (0.9, 0.5, 0.5)
    assert rejections[2][1] == 0
    assert math.isnan(rejections[2].accuracy)


def test_of_nothing():
    evaluation = evaluate([], np.empty((0, 10)))
    assert isinstance(evaluation, Evaluation)
    assert evaluation.rows == 0
    assert not evaluation.confusion.any()
    assert np.isnan([evaluation.accuracy, evaluation.standard_error, evaluation.cross_entropy]).all()
    assert math.isnan(evaluation.calibration_error)
    assert all(math.isnan(line.answered) and math.isnan(line.accuracy) for line in evaluation.rejections)


def test_standard_error_is_the_spread_of_many_measurements():
    """Accuracy of 500 images that are right with probability 0.9, measured 20,000 times."""
    measured = np.random.default_rng(0).binomial(500, 0.9, 20_000) / 500
    assert standard_error(0.9, 500) == pytest.approx(measured.std(), rel=0.03)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([1, 2], np.full((3, 10), 0.1), "shape"),
        ([1], np.full((1, 9), 0.1), "shape"),
        ([1], np.full(10, 0.1), "shape"),
        ([10], np.full((1, 10), 0.1), "labels must be 0 to 9"),
        ([1.0], np.full((1, 10), 0.1), "integers"),
        ([1], np.full((1, 10), np.nan), "finite"),
        ([1], np.full((1, 10), np.inf), "finite"),
        ([1], np.full((1, 10), -0.1), "negative"),
    ],
)
def test_refuses(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        evaluate(labels, probabilities)
