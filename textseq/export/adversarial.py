"""Texts that break tokenizers and graphs, some 300, the same each time: what a server is sent sooner or later."""

from __future__ import annotations

import random

_WORDS = (  # between spaces
    "the film Straße naïve ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ İstanbul ılık ЖЁЛТЫЙ 日本語 これは テスト 한국어 العربية עברית "
    "हिन्दी ไทย ＦＵＬＬ ﬁne ½ ① ™ "
    "e\u0301 a\u0308 x² 🙂 👩‍👩‍👧‍👦 🇯🇵 1️⃣ ℌ 𝒳 \u1e9e ǅ don't C++ <unk> <s> </s> <pad> ▁ ##ing \\n %s"
)
_SPACES = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2009\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
_WHOLE = (
    *("", " ", "\n", "\x00", "a\x00b", "\x00\x00\x00", "\ufeffmarked", "\ufffd", "\ufffe\uffff", "\x7f\x1b[31m"),
    *("a" * 20_000, "the film is " * 1_500, "日本語のテキスト" * 1_000, "🙂" * 2_000, " " * 5_000, "\n" * 300),
    *("e\u0335\u0321" * 200, "e" + "\u0301" * 500, "\u202eright to left\u202c", "０１２３４５", "ｶﾞｷﾞｸﾞ", "株式会社㈱㍿"),
    *("\U0010ffff", "\U000e0041\U000e007f", "\ue000", "\u0378", "\u1c89Ა", "\ua7dc\ua7cb", "\U00010d50", "ΑΣ ΑΣΑ Σ"),
)
_BROKEN = (  # not UTF-8, in hexadecimal
    *("ff", "feff", "80", "c0af", "e381", "636166e9", "eda080", "eda0bdedb880", "f4908080", "f09f98", "6f6be2826f6b"),
    *("f888808080", "c328", "61f062"),
)
_BROKEN_BYTES = b"aZ \x00\x80\xa0\xbf\xc2\xc3\xe3\x81\x82\xed\xa0\xf0\x9f\x98\x80\xf4\x90\xff"
_COUNT = 300


def adversarial_texts() -> list[bytes]:
    """Returns them as bytes, for not all are UTF-8."""
    generator = random.Random(20_480)
    texts = [text.encode() for text in (*_WHOLE, *_WORDS.split())]
    texts += [bytes.fromhex(text) for text in _BROKEN]
    texts += [f"left{space}right{space}".encode() for space in _SPACES]
    while len(texts) < _COUNT:
        kind = len(texts) % 4
        if kind == 0:
            texts.append(_mixed(generator).encode())
        elif kind == 1:
            texts.append(bytes(generator.choices(_BROKEN_BYTES, k=generator.randint(1, 24))))
        elif kind == 2:
            texts.append(_code_points(generator, 0x3000).encode())
        else:
            texts.append(_code_points(generator, 0x110000).encode())
    return texts


def _mixed(generator: random.Random) -> str:
    """Returns words of several scripts between all kinds of white space."""
    words = _WORDS.split()
    return "".join(
        generator.choice(words) + (generator.choice(_SPACES) if generator.random() < 0.3 else " ")
        for _ in range(generator.randint(1, 40))
    )


def _code_points(generator: random.Random, end: int) -> str:
    """Returns characters drawn evenly from those below `end`, unassigned ones too."""
    drawn = (generator.randrange(end) for _ in range(generator.randint(1, 30)))
    return "".join(chr(code) for code in drawn if not 0xD800 <= code < 0xE000)
