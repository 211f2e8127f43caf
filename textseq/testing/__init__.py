"""What every component has to be, tested by meaning; for authors of plugins and for our own tests.

    from textseq.testing import check_encoder
    check_encoder(MyEncoder, units=32)          # raises EncoderFaultError and names every fault

`check_tokenizer` and `check_task` do the same for the other kinds. A shape says little of a sequence encoder: one that
looks ahead, lets padding count, or forgets its state has the right shape too. Each check feeds numbers and compares
numbers, and of a fault it shows the smallest example.
"""

from textseq.testing.components import TaskFaultError, TokenizerFaultError, check_task, check_tokenizer
from textseq.testing.contract import EncoderFaultError, check_encoder, examine_encoder
from textseq.testing.findings import ContractError, Finding

__all__ = [
    "ContractError",
    "EncoderFaultError",
    "Finding",
    "TaskFaultError",
    "TokenizerFaultError",
    "check_encoder",
    "check_task",
    "check_tokenizer",
    "examine_encoder",
]
