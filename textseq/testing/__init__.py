"""What every encoder has to be, tested by meaning: `check_encoder`, for the authors of encoders and for our own tests.

    from textseq.testing import check_encoder
    check_encoder(MyEncoder, units=32)          # raises EncoderFaultError and names every fault

A shape says little of a sequence encoder: one that looks ahead, lets padding count, or forgets its state has the right
shape too. Each check below feeds numbers and compares numbers.
"""

from textseq.testing.contract import EncoderFaultError, check_encoder, examine_encoder
from textseq.testing.findings import ContractError, Finding

__all__ = ["ContractError", "EncoderFaultError", "Finding", "check_encoder", "examine_encoder"]
