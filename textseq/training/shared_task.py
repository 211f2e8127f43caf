"""A task as several processes do it together: each feeds its rows, the first one scores and tells the others."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from textseq.data.shards import Shard
from textseq.tasks.base import Batch, Task
from textseq.training.processes import told_by_first

_FitArguments = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


def shared(task: Task, shard: Shard, batch_size: int) -> Task:
    """Returns a task that does what `task` does, in step with the other processes.

    Its scores are made by the first process, with its own copy of the weights. What it feeds are this process's rows,
    also where a task's batches are whole ones, whatever the shard.

    Args:
        task: Any task.
        shard: Which of how many processes this is.
        batch_size: Rows of a whole batch.
    """
    first, mine = shard.index == 0, shard.rows(batch_size)

    def evaluate(*arguments: Any, **more: Any) -> dict[str, Any]:
        return told_by_first(task.evaluate(*arguments, **more) if first else None)

    def evaluate_rows(*arguments: Any, **more: Any) -> tuple[dict[str, Any], Any]:
        scores, rows = task.evaluate_rows(*arguments, **more) if first else (None, None)
        return told_by_first(scores), rows

    def fit_arguments(batch: Batch) -> _FitArguments:
        inputs, targets, weights = task.fit_arguments(batch)
        if len(weights) < batch_size or shard.count == 1:
            return inputs, targets, weights
        return {name: array[mine] for name, array in inputs.items()}, targets[mine], weights[mine]

    one = copy.copy(task)
    vars(one).update(evaluate=evaluate, evaluate_rows=evaluate_rows, fit_arguments=fit_arguments)
    return one
