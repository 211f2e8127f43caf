"""Scores of classifiers against scikit-learn and against arithmetic."""

import numpy as np
import pytest
from sklearn import metrics as reference

from textseq.tasks.metrics import ClassificationScores, MultiLabelScores


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    probabilities = generator.dirichlet(np.ones(4), size=500)
    targets = np.where(generator.random(500) < 0.6, probabilities.argmax(-1), generator.integers(0, 4, 500))
    return probabilities, targets


def test_scores_equal_scikit_learn(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, targets = predictions
    scores = ClassificationScores(["a", "b", "c", "d"])
    for part in (slice(0, 123), slice(123, 500)):
        scores.update(probabilities[part], targets[part])
    found, predicted = scores.results(), probabilities.argmax(-1)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(targets, predicted))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(targets, predicted, average="macro"))
    assert found["micro_f1"] == pytest.approx(reference.f1_score(targets, predicted, average="micro"))
    assert found["loss"] == pytest.approx(reference.log_loss(targets, probabilities))
    assert found["confusion"]["matrix"] == reference.confusion_matrix(targets, predicted).tolist()
    assert found["rows"] == 500


def test_macro_f1_leaves_out_classes_that_nobody_named() -> None:
    scores = ClassificationScores(["a", "b", "never"])
    scores.update(np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]), np.array([0, 1]))
    assert scores.results()["macro_f1"] == 1.0


def test_calibration_error_of_an_overconfident_classifier_is_its_overconfidence() -> None:
    scores = ClassificationScores(["a", "b"])
    probabilities = np.tile([0.9, 0.1], (10, 1))
    scores.update(probabilities, np.array([0] * 6 + [1] * 4))  # says 0.9, is right 6 times of 10
    assert scores.results()["calibration_error"] == pytest.approx(0.3)


def test_bootstrap_interval_of_accuracy_is_the_binomial_one() -> None:
    scores = ClassificationScores(["a", "b"])
    scores.update(np.tile([0.9, 0.1], (400, 1)), np.array([0] * 320 + [1] * 80))
    low, high = scores.results(seed=1)["interval"]["accuracy"]
    margin = 1.96 * (0.8 * 0.2 / 400) ** 0.5  # normal approximation
    assert low == pytest.approx(0.8 - margin, abs=0.008)
    assert high == pytest.approx(0.8 + margin, abs=0.008)


def test_certain_and_wrong_costs_a_finite_loss() -> None:
    scores = ClassificationScores(["a", "b"])
    scores.update(np.array([[1.0, 0.0]]), np.array([1]))
    assert 20 < scores.results()["loss"] < 40


def test_no_rows_give_zeros_and_no_division() -> None:
    assert ClassificationScores(["a", "b"]).results()["accuracy"] == 0.0
    assert MultiLabelScores(["a", "b"]).results()["macro_f1"] == 0.0


def test_multi_label_scores_equal_scikit_learn() -> None:
    generator = np.random.default_rng(4)
    probabilities = generator.random((200, 5))
    targets = (generator.random((200, 5)) < probabilities).astype(np.float32)
    scores = MultiLabelScores(list("abcde"))
    scores.update(probabilities[:90], targets[:90])
    scores.update(probabilities[90:], targets[90:])
    found, predicted = scores.results(), probabilities >= 0.5
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(targets, predicted))
    assert found["micro_f1"] == pytest.approx(reference.f1_score(targets, predicted, average="micro"))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(targets, predicted, average="macro"))
    losses = [reference.log_loss(targets[:, i], probabilities[:, i]) for i in range(5)]
    assert found["loss"] == pytest.approx(np.mean(losses))
