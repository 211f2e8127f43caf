"""Every registered tokenizer and task keeps its contract, and one that breaks it is caught by the right check."""

from __future__ import annotations

import re
from typing import Any

import faulty_components
import keras
import pytest

from textseq.registry import tasks, tokenizers
from textseq.testing import TaskFaultError, TokenizerFaultError, check_task, check_tokenizer
from textseq.testing.components import task_findings, tokenizer_findings
from textseq.testing.task_checks import TASK_CHECKS
from textseq.testing.tokenizer_checks import TOKENIZER_CHECKS
from textseq.testing.trying import title

pytestmark = pytest.mark.skipif(keras.backend.backend() == "jax", reason="tokenizers and tasks are the same on JAX")
ARGUMENTS: dict[str, dict[str, Any]] = {"sentencepiece": {"vocabulary_size": 320}}


@pytest.mark.parametrize("name", tokenizers.names())
def test_each_tokenizer_keeps_the_contract(name: str) -> None:
    assert len(check_tokenizer(name, **ARGUMENTS.get(name, {}))) == 1 + len(TOKENIZER_CHECKS)


@pytest.mark.parametrize("name", tasks.names())
def test_each_task_keeps_the_contract(name: str) -> None:
    assert len(check_task(name)) == 1 + len(TASK_CHECKS)


def faults_of(findings: Any) -> dict[str, str]:
    return {finding.check: finding.fault for finding in findings if finding.fault}


@pytest.mark.parametrize("fault", faulty_components.PLANTED_TOKENIZERS, ids=lambda cls: cls.__name__)
def test_each_fault_of_a_tokenizer_is_found_by_its_check(fault: Any) -> None:
    wanted = faulty_components.PLANTED_TOKENIZERS[fault]
    checks = [check for check in TOKENIZER_CHECKS if title(check) == wanted]
    assert wanted in faults_of(tokenizer_findings(fault, {}, checks=checks))


# Those whose check trains a model take ten seconds and more on two busy cores.
TRAIN = {"training", "scores", "scoring"}
TASK_FAULTS = [
    pytest.param(fault, marks=pytest.mark.slow if check.split()[0] in TRAIN else pytest.mark.common, id=fault.__name__)
    for fault, check in faulty_components.PLANTED_TASKS.items()
]


@pytest.mark.parametrize("fault", TASK_FAULTS)
def test_each_fault_of_a_task_is_found_by_its_check(fault: Any) -> None:
    wanted = faulty_components.PLANTED_TASKS[fault]
    checks = [check for check in TASK_CHECKS if title(check) == wanted]
    assert wanted in faults_of(task_findings(fault, {}, checks=checks))


def test_sound_ones_have_no_fault_and_every_check_has_one_planted() -> None:
    assert faults_of(tokenizer_findings(faulty_components.Words, {})) == {}
    planted = set(faulty_components.PLANTED_TOKENIZERS.values())
    assert {title(check) for check in TOKENIZER_CHECKS} - planted == {"arguments are plain and documented"}
    unplanted = {title(check) for check in TASK_CHECKS} - set(faulty_components.PLANTED_TASKS.values())
    same_code_as_for_encoders = {"arguments are plain and documented", "the seed decides the weights"}
    assert unplanted == same_code_as_for_encoders | {"it prepares and builds", "what was saved scores the same"}


def test_the_example_is_a_text_as_small_as_it_gets() -> None:
    found = faults_of(tokenizer_findings(faulty_components.LosesSpaces, {}))["known text comes back"]
    assert re.fullmatch(r"'(\w+) (\w+)' comes back as '\1\2'", found)  # two words, and no less has a space
    found = faults_of(tokenizer_findings(faulty_components.FoldsInPythonOnly, {}))["the graph gives the same ids"]
    assert re.match(r"'\w\\xa0\w' has the ids \[1\], and \[1, 1\] in a graph", found)


def test_errors_name_the_component_and_the_fault() -> None:
    with pytest.raises(TokenizerFaultError, match=r"(?s)tokenizer 'words_under_test' breaks.*known text comes back"):
        check_tokenizer(faulty_components.LosesSpaces)
    with pytest.raises(TaskFaultError, match=r"(?s)task 'Words' breaks.*is no subclass of textseq\.tasks\.base\.Task"):
        check_task(faulty_components.Words)
