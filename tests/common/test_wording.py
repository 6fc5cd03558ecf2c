"""How long something has lasted reads as a person says it."""

import pytest

from common.wording import lasted


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"), (60, "60 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7_199, "119 minutes"), (7_200, "2 hours"),
        (172_799, "47 hours"), (172_800, "2 days"), (2_880 * 60, "2 days"), (10 * 86_400 + 5, "10 days"),
    ],
)  # fmt: skip
def test_it_is_said_in_the_largest_unit_of_which_there_are_two(seconds: float, words: str) -> None:
    assert lasted(seconds) == words
