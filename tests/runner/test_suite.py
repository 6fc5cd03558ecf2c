"""How a suite ends."""

import pytest

from runner.suite import in_time


@pytest.mark.parametrize(
    ("code", "took_s", "ends", "said"),
    [(0, 900.0, 0, False), (0, 900.6, 1, True), (2, 901.0, 2, True), (1, 20.0, 1, False)],
)
def test_a_fault_suite_that_takes_longer_than_promised_fails_and_says_so(
    code: int, took_s: float, ends: int, said: bool
) -> None:
    found, sentence = in_time(code, took_s)
    assert found == ends and ("900 s at most are promised" in sentence) is said
