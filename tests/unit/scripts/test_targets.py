"""The benchmark's arithmetic, on times that a reader can check in the head."""

from __future__ import annotations

import pytest
from benchmark.figures import Figure, to_json
from benchmark.specification import Contender, Model, Workload
from benchmark.steps import summary
from benchmark.steps import to_json as steps_to_json
from benchmark.targets import Measured, Target, speed_ratio, typical

MODEL = Model("language_modeling", "lstm", 650, depth=2, vocabulary=10_000, batch=20, time=35)


def measured(seconds: float, **more: float) -> Measured:
    return Measured(seconds=seconds, items=100, **more)


def test_one_slow_step_does_not_move_the_figure() -> None:
    assert typical([0.2, 0.1, 9.0, 0.3, 0.2]) == 0.2


def test_batches_of_a_cycle_count_alike_however_their_lengths_differ() -> None:
    rounds = [1.0, 4.0, 1.2, 4.0, 50.0, 4.4]  # three rounds of a short and a long batch
    assert typical(rounds, period=2) == pytest.approx((1.2 + 4.0) / 2)


def test_a_step_of_half_the_time_is_twice_the_speed() -> None:
    assert speed_ratio({"a": measured(0.1), "b": measured(0.2)}, "a", ["b"]) == pytest.approx(2.0)


def test_speed_is_by_item_where_steps_differ_in_size() -> None:
    results = {"a": Measured(seconds=1.0, items=1000), "b": Measured(seconds=1.0, items=100)}
    assert speed_ratio(results, "a", ["b"]) == pytest.approx(10.0)


def test_of_several_rivals_the_fastest_counts_and_missing_ones_do_not() -> None:
    results = {"a": measured(0.1), "b": measured(0.4), "c": measured(0.2), "d": Measured(missing="not installed")}
    assert speed_ratio(results, "a", ["b", "c", "d"]) == pytest.approx(2.0)
    assert speed_ratio(results, "a", ["d", "e"]) is None


@pytest.mark.parametrize(("bound", "met"), [(1.9, True), (2.1, False)])
def test_a_speed_is_promised_at_least(bound: float, met: bool) -> None:
    assert Target("speed", "a", bound, ("b",)).met({"a": measured(0.1), "b": measured(0.2)}) is met


@pytest.mark.parametrize(("bound", "met"), [(0.4, False), (0.6, True)])
def test_a_memory_is_promised_at_most(bound: float, met: bool) -> None:
    results = {"a": measured(1.0, growth_megabytes=50.0), "b": measured(1.0, growth_megabytes=100.0)}
    assert Target("memory", "a", bound, ("b",)).met(results) is met


def test_the_share_of_the_ceiling_is_of_a_product_in_the_same_precision() -> None:
    results = {
        "a": measured(1.0, gigaflops=300.0),
        "a bf16": measured(0.5, gigaflops=300.0),
        "gemm": measured(0.1, gigaflops=40.0),  # 400 a second
        "gemm bf16": measured(0.05, gigaflops=40.0),  # 800 a second
    }
    assert Target("ceiling", "a", 0.7).value(results) == pytest.approx(300 / 400)
    assert Target("ceiling", "a bf16", 0.7).value(results) == pytest.approx(600 / 800)


def test_a_target_without_its_rival_is_neither_met_nor_missed() -> None:
    assert Target("speed", "a", 2.0, ("b",)).met({"a": measured(0.1), "b": Measured(missing="no")}) is None


def test_a_training_step_is_three_times_its_forward_products() -> None:
    layers = 2 * (650 * 4 * 650 + 650 * 4 * 650)
    softmax = 650 * 10_000
    tokens = 20 * 35
    assert MODEL.gigaflops == pytest.approx(3 * 2 * tokens * (layers + softmax) / 1e9)


def test_a_figure_keeps_its_promise_up_to_the_bound() -> None:
    figures = {"wait": Figure(2.5, "%", at_most=2.0), "speed": Figure(11.0, "MB/s", at_least=10.0), "n": Figure(1, "s")}
    assert [target["met"] for target in to_json(figures)["targets"]] == [False, True]


def test_json_holds_ratios_of_all_and_the_reason_of_who_is_missing() -> None:
    contenders = (Contender("textseq", "ours"), Contender("keras", "stock"), Contender("torch", "pytorch"))
    workload = Workload("w", MODEL, contenders, (Target("speed", "textseq", 1.5, ("keras",)),))
    memory = {"peak": 500.0, "growth": 20.0}
    results = summary(
        workload,
        {"textseq": [0.1, 0.1, 0.4], "keras": [0.2, 0.2, 0.2]},
        {"textseq": memory, "keras": memory},
        {"torch": "torch is not installed"},
    )
    found = steps_to_json(workload, results)
    assert found["contenders"]["keras"]["ratio"] == pytest.approx(0.5)
    assert found["contenders"]["textseq"]["tokens_per_second"] == pytest.approx(7000)
    assert found["contenders"]["torch"] == {"missing": "torch is not installed"}
    assert found["targets"] == [
        {"target": "textseq: at least 1.5 × the speed of keras", "bound": 1.5, "value": pytest.approx(2.0), "met": True}
    ]


def test_ratios_are_within_one_model() -> None:
    few, many = (Model("inference", "lstm", 256, 1, 4_000, batch=rows, time=20) for rows in (1, 32))
    contenders = [
        Contender(f"{who} {model.batch}", "exported", model=model)
        for model in (few, many)
        for who in ("ours", "theirs")
    ]
    memory = {"peak": 1.0, "growth": 1.0}
    seconds = {"ours 1": [1.0], "theirs 1": [2.0], "ours 32": [8.0], "theirs 32": [32.0]}
    workload = Workload("w", few, tuple(contenders))
    found = steps_to_json(workload, summary(workload, seconds, dict.fromkeys(seconds, memory), {}))
    ratios = {name: one["ratio"] for name, one in found["contenders"].items()}
    assert ratios == pytest.approx({"ours 1": 1.0, "theirs 1": 0.5, "ours 32": 1.0, "theirs 32": 0.25})
    assert found["ratio_to"] == "the first of its size"


def test_a_target_is_left_out_where_a_rival_was_not_asked_to_run() -> None:
    targets = (Target("speed", "textseq", 1.0, ("keras", "keras xla")),)
    workload = Workload("w", MODEL, (Contender("textseq", "ours"), Contender("keras", "stock")), targets)
    memory = {"peak": 1.0, "growth": 1.0}
    results = summary(workload, {"textseq": [1.0], "keras": [2.0]}, {"textseq": memory, "keras": memory}, {})
    assert steps_to_json(workload, results)["targets"] == []
