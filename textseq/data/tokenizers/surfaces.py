"""The piece of text that each token stands for, so that what was measured of tokens can be shown on the text."""

from __future__ import annotations

from collections.abc import Sequence

from textseq.data.tokenizers.base import SPECIAL_TOKENS, Tokenizer


def surfaces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """Returns each token's part of the decoded text, the space before it included where there is one.

    It is what the text gains by the token, which holds for any tokenizer. A special token, which has no text, is named
    as the vocabulary names it.

    Args:
        tokenizer: Fitted.
        ids: Of one text.
    """
    ids = [int(number) for number in ids]
    until = ["", *tokenizer.decode([ids[: end + 1] for end in range(len(ids))])]
    alone = tokenizer.decode([[number] for number in ids])
    found = []
    for place, number in enumerate(ids):
        before, after = until[place], until[place + 1]
        gained = after[len(before) :] if after.startswith(before) else alone[place]
        special = SPECIAL_TOKENS[number] if number < len(SPECIAL_TOKENS) else ""
        found.append(gained if gained.strip() else special or gained or alone[place])
    return found
