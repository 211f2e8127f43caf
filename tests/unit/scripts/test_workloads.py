"""The benchmark's table of workloads and its command line; nothing is timed."""

from __future__ import annotations

import numpy as np
import pytest
from bench import NAMES, main
from benchmark.batches import make_batches, token_ids
from benchmark.lengths import drawn_lengths
from benchmark.machine import gpu
from benchmark.processes import environment
from benchmark.queued import Queued, seconds_of
from benchmark.specification import Model, Workload, from_json, to_json
from benchmark.workloads import gpu_workloads, step_workloads
from click.testing import CliRunner

WORKLOADS = list(step_workloads().values())


def test_there_are_workloads_of_every_encoder() -> None:
    assert {workload.model.encoder for workload in WORKLOADS} >= {"lstm", "gru", "rnn", "transformer"}
    assert {workload.name for workload in WORKLOADS} < set(NAMES)


def test_an_unknown_workload_is_refused_with_those_there_are() -> None:
    result = CliRunner().invoke(main, ["--only", "lm-lstm-650", "--only", "lm-lsmt"])
    assert result.exit_code == 2
    assert "Unknown workload: lm-lsmt" in result.output
    assert "lm-lstm-650" in result.output.replace("\n", "")


def test_an_unknown_contender_is_refused() -> None:
    result = CliRunner().invoke(main, ["--only", "lm-lstm-650", "--with", "tortch"])
    assert result.exit_code == 2
    assert "Unknown contender: tortch" in result.output


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_every_target_names_contenders_of_its_workload(workload: Workload) -> None:
    names = [contender.name for contender in workload.contenders]
    assert len(names) == len(set(names))
    assert workload.targets
    assert {name for target in workload.targets for name in (target.name, *target.rivals)} <= set(names)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_a_contender_reaches_its_process_as_it_was(workload: Workload) -> None:
    for contender in workload.contenders:
        received, model, cycle = from_json(to_json(workload, contender))
        assert (received.name, received.library, received.variant) == (
            contender.name,
            contender.library,
            contender.variant,
        )
        assert model == contender.builds(workload.model)
        assert cycle == workload.period


def test_a_contender_that_takes_no_part_is_refused() -> None:
    result = CliRunner().invoke(main, ["--only", "lm-lstm-650", "--with", "adaptive"])
    assert result.exit_code == 2
    assert "takes no part" in result.output


def test_a_quick_run_keeps_whom_targets_are_about() -> None:
    workload = step_workloads()["lm-lstm-650"]
    kept = [contender.name for contender in workload.only(workload.essential()).contenders]
    assert {"textseq", "textseq bf16", "textseq jax", "keras", "torch", "gemm", "gemm bf16"} <= set(kept)
    assert {"products", "products bf16"} <= set(kept)
    assert "keras jax" not in kept


def test_contenders_of_another_model_run_apart() -> None:
    groups = list(step_workloads()["softmax-33k"].groups())
    assert [{contender.model.time for contender in group.contenders if contender.model} for group in groups] == [
        {700},
        {16_384},
    ]


def test_an_encoder_of_its_own_takes_turns_with_the_others_and_has_the_operations_of_its_gates() -> None:
    workload = step_workloads()["lm-mingru-650"]
    (bytes_alone, _) = workload.groups()
    lstm, mingru = (bytes_alone.only({name}).contenders[0] for name in ("lstm", "mingru"))
    softmax = 700 * 650 * 256  # tokens · units · vocabulary
    for one, products in ((lstm, 2 * 8), (mingru, 2 * 2)):  # layers · gates, twice as many where the state enters
        wanted = 6e-9 * (products * 700 * 650**2 + softmax)
        assert one.gigaflops(workload.model) == pytest.approx(wanted)


def test_every_contender_gets_the_same_batches() -> None:
    model = Model("language_modeling", "lstm", 8, 1, 50, batch=3, time=5)
    first, second = make_batches(model, 1), make_batches(model, 1)
    assert [batch["token_ids"].shape for batch in first] == [(3, 5)] * len(first)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["token_ids"], other["token_ids"])
        np.testing.assert_array_equal(one["targets"], other["targets"])


def test_common_tokens_have_low_ids_and_special_ones_are_not_drawn() -> None:
    ids = token_ids(20_000, 1_000)
    assert ids.min() >= 4
    assert ids.max() < 1_000
    assert np.bincount(ids)[4] > np.bincount(ids)[40] > np.bincount(ids, minlength=1_000)[900]


def test_drawn_lengths_have_the_quantiles_that_they_are_drawn_from() -> None:
    lengths = drawn_lengths()
    assert len(lengths) == 6_920
    assert abs(np.median(lengths) - 28) <= 1


@pytest.mark.parametrize("workload", gpu_workloads().values(), ids=lambda workload: workload.name)
def test_on_a_gpu_all_run_there_and_none_needs_tensorflow(workload: Workload) -> None:
    names = [contender.name for contender in workload.contenders]
    assert len(names) == len(set(names))
    assert {"textseq jax", "keras jax", "torch", "gemm", "gemm bf16"} < set(names)
    for contender in workload.contenders:
        assert contender.device == "gpu"
        assert contender.backend == "jax" or contender.library == "pytorch"
        seen = environment(contender.backend, contender.device)
        assert seen["JAX_PLATFORMS"] == "cuda"


def test_on_the_processor_no_gpu_is_seen() -> None:
    assert environment("jax")["JAX_PLATFORMS"] == "cpu"
    assert environment("jax")["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.skipif(gpu() is not None, reason="there is a GPU")
def test_without_a_gpu_none_is_measured() -> None:
    result = CliRunner().invoke(main, ["--gpu"])
    assert result.exit_code == 2
    assert "shows no GPU" in result.output


def test_a_workload_of_the_processor_is_unknown_on_a_gpu() -> None:
    result = CliRunner().invoke(main, ["--gpu", "--only", "tokenize"])
    assert result.exit_code == 2
    assert "Unknown workload: tokenize. There are: lm-lstm-650, lm-lstm-650-16x" in result.output.replace("\n", "")


def test_queued_steps_are_asked_for_together_and_share_the_time_until_all_are_done() -> None:
    events: list[str] = []
    clock = iter([0.0, 6.0])
    step = Queued(lambda: events.append("asked"), lambda: events.append("waited"))
    assert seconds_of(step, 3, lambda: next(clock), together=True) == [2.0] * 3
    assert events == ["asked", "asked", "asked", "waited"]


def test_one_by_one_each_step_is_waited_for() -> None:
    events: list[str] = []
    clock = iter([0.0, 1.0, 5.0, 7.0])
    step = Queued(lambda: events.append("asked"), lambda: events.append("waited"))
    assert seconds_of(step, 2, lambda: next(clock), together=False) == [1.0, 2.0]
    assert events == ["asked", "waited", "asked", "waited"]
    assert seconds_of(step, 0, lambda: 0.0, together=True) == []
