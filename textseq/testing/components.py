"""`check_tokenizer` and `check_task`: whether a tokenizer or a task keeps the contract that the toolkit relies on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from textseq.data.tokenizers.base import Tokenizer
from textseq.registry import tasks, tokenizers
from textseq.tasks.base import Task
from textseq.testing.findings import ContractError, Finding, raise_faults
from textseq.testing.task_checks import TASK_CHECKS, TaskSubject, it_prepares_and_builds
from textseq.testing.tokenizer_checks import TEXTS, TOKENIZER_CHECKS, TokenizerSubject, it_can_be_fitted
from textseq.testing.trying import tried


class TokenizerFaultError(ContractError):
    """A tokenizer breaks the contract; the text has a line for each fault."""


class TaskFaultError(ContractError):
    """A task breaks the contract; the text has a line for each fault."""


def check_tokenizer(
    tokenizer: str | type[Tokenizer], texts: Iterable[str] | None = None, **arguments: Any
) -> list[Finding]:
    """Checks that a tokenizer does what the toolkit relies on.

    Args:
        tokenizer: A registered name, or a class.
        texts: What it is fitted on, and what has to come back as it was; a few English sentences where None.
        **arguments: Its constructor's.

    Returns:
        What was checked.

    Raises:
        TokenizerFaultError: Something does not hold; names every fault, each with a text as small as it gets.
    """
    cls = tokenizers.get(tokenizer) if isinstance(tokenizer, str) else tokenizer
    findings = list(tokenizer_findings(cls, arguments, texts))
    raise_faults(TokenizerFaultError, f"tokenizer '{getattr(cls, 'registered_name', '') or cls.__name__}'", findings)
    return findings


def check_task(task: str | type[Task], data: dict[str, Any] | None = None, **arguments: Any) -> list[Finding]:
    """Checks that a task does what the toolkit relies on, on sentences of two classes and with a small LSTM.

    Args:
        task: A registered name, or a class.
        data: More settings of the config's `data` section; the rows have the columns text and label.
        **arguments: Its constructor's.

    Returns:
        What was checked.

    Raises:
        TaskFaultError: Something does not hold; names every fault.
    """
    cls = tasks.get(task) if isinstance(task, str) else task
    findings = list(task_findings(cls, arguments, data))
    raise_faults(TaskFaultError, f"task '{task if isinstance(task, str) else cls.__name__}'", findings)
    return findings


def tokenizer_findings(
    cls: Any, arguments: dict[str, Any], texts: Iterable[str] | None = None, checks: Iterable[Any] = TOKENIZER_CHECKS
) -> Iterator[Finding]:
    """Yields what each check of a tokenizer finds, as it ends."""
    yield (base := _base(cls, Tokenizer, "it is a tokenizer"))
    if base.fault is None:
        subject = TokenizerSubject(cls, arguments, list(TEXTS if texts is None else texts))
        yield from _findings(subject, checks, it_can_be_fitted)


def task_findings(
    cls: Any, arguments: dict[str, Any], data: dict[str, Any] | None = None, checks: Iterable[Any] = TASK_CHECKS
) -> Iterator[Finding]:
    """Yields what each check of a task finds, as it ends."""
    yield (base := _base(cls, Task, "it is a task"))
    if base.fault is None:
        yield from _findings(TaskSubject(cls, arguments, dict(data or {})), checks, it_prepares_and_builds)


def _findings(subject: Any, checks: Iterable[Any], first: Any) -> Iterator[Finding]:
    """Yields what checks find; nothing can be tried after `first` has failed."""
    for check in checks:
        yield (found := tried(check, subject))
        if check is first and found.fault:
            return


def _base(cls: Any, base: type, check: str) -> Finding:
    fine = isinstance(cls, type) and issubclass(cls, base)
    wrong = f"{getattr(cls, '__qualname__', cls)} is no subclass of {base.__module__}.{base.__qualname__}"
    return Finding(check, None if fine else wrong)
