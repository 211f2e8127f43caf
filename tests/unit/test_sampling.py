"""The choice of the next token."""

import numpy as np
import pytest

from textseq.errors import UsageError
from textseq.evaluation.sampling import Sampling, choose, uniform

# ids 0, 1, 2 are padding, unknown and start; the likeliest allowed token is 5
LOGITS = np.log(np.array([0.5, 0.2, 0.1, 0.02, 0.04, 0.08, 0.06]))


def draws(sampling: Sampling, count: int = 2000) -> np.ndarray:
    chosen = [choose(LOGITS, sampling, uniform(sampling.seed, place)) for place in range(count)]
    return np.bincount(chosen, minlength=7) / count


def test_temperature_zero_takes_the_likeliest_token_that_is_text() -> None:
    assert draws(Sampling(temperature=0.0), 10)[5] == 1.0


def test_samples_follow_the_distribution_of_the_allowed_tokens() -> None:
    expected = np.array([0, 0, 0, 0.02, 0.04, 0.08, 0.06]) / 0.2
    np.testing.assert_allclose(draws(Sampling(), 20_000), expected, atol=0.015)


def test_top_k_keeps_the_k_likeliest_in_proportion() -> None:
    found = draws(Sampling(top_k=2), 20_000)
    np.testing.assert_allclose(found, np.array([0, 0, 0, 0, 0, 8, 6]) / 14, atol=0.015)


def test_top_p_keeps_the_fewest_tokens_that_reach_p() -> None:
    found = draws(Sampling(top_p=0.6))  # 0.4 is not enough, 0.4 + 0.3 is
    assert set(np.flatnonzero(found)) == {5, 6}


def test_low_temperature_sharpens() -> None:
    expected = np.array([0, 0, 0, 2.0, 4.0, 8.0, 6.0]) ** 2
    np.testing.assert_allclose(draws(Sampling(temperature=0.5), 20_000), expected / expected.sum(), atol=0.015)


def test_same_seed_same_draws() -> None:
    np.testing.assert_array_equal(draws(Sampling(seed=7), 50), draws(Sampling(seed=7), 50))
    assert (draws(Sampling(seed=7), 50) != draws(Sampling(seed=8), 50)).any()


def test_negative_temperature_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--temperature: must be 0 or more\. Received: -1"):
        Sampling(temperature=-1)


def test_top_p_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--top-p: must be above 0"):
        Sampling(top_p=0.0)


def test_negative_top_k_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--top-k: must be 0"):
        Sampling(top_k=-3)


def test_chances_are_splitmix64s_own() -> None:
    def mixed(bits: int) -> int:  # Steele et al. 2014, in Python's own integers
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
        return bits ^ bits >> 31

    golden = 0x9E3779B97F4A7C15
    for seed in (0, 1, -1, 2**63 - 1, -(2**63)):
        start = mixed((seed + golden) % 2**64)
        for place in (0, 1, 4095):
            assert uniform(seed, place) == (mixed((start + (place + 1) * golden) % 2**64) >> 11) / 2**53


def test_chances_are_spread_evenly_and_seeds_are_unlike() -> None:
    chances = np.array([[uniform(seed, place) for place in range(2000)] for seed in range(4)])
    assert abs(np.histogram(chances, 10, (0, 1))[0] / 800 - 1).max() < 0.15
    assert abs(np.corrcoef(chances) - np.eye(4)).max() < 0.1


def test_a_seed_beyond_64_bits_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--seed: must fit in 64 bits"):
        Sampling(seed=2**63)
