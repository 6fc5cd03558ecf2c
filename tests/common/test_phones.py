"""Numbers are read as people write them."""

import pytest

from common.phones import phone_words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("+14155550111", "(415) 555-0111"),
        ("+442079460018", "+44 20 7946 0018"),
        ("", ""),
        ("ask Jo", "ask Jo"),
    ],
)
def test_a_number_is_written_as_people_write_it_and_anything_else_is_left_alone(
    number: str, words: str
) -> None:
    assert phone_words(number) == words
