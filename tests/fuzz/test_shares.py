"""How a number of drawn cases is shared among the tests that draw them."""

import pytest
from fuzzing import LEAST_SHARE, shares


def test_tests_of_equal_time_share_all_cases():
    found = shares({"quick": 1.0, "middling": 4.0, "slow": 20.0}, 130_000)
    assert found == {"quick": 100_000, "middling": 25_000, "slow": 5_000}


@pytest.mark.parametrize("total", [3, 1_000, 1_000_000])
def test_a_slow_test_has_its_least_share_and_none_is_lost(total):
    found = shares({"quick": 1.0, "slow": 1e9}, total)
    assert found["slow"] >= max(1, LEAST_SHARE * total)
    assert sum(found.values()) == total
