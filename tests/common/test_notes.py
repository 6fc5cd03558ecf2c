"""A note where a decision about somebody's safety asks for one."""

import pytest

from common.notes import is_a_note


@pytest.mark.parametrize(
    "text", ["", " ", "x", "ok.", "fine", "123456789", "nine char", "  a   b  c  ", "xxxxxxxxxxxx", "-- -- -- --", "1234567890 12"]
)  # fmt: skip
def test_a_sign_or_a_syllable_is_no_note(text: str) -> None:
    assert not is_a_note(text)


@pytest.mark.parametrize("text", ["Explained.", "Seen today", "Plan read.\n", "Visto por vídeo, está bien"])
def test_a_short_sentence_is_one(text: str) -> None:
    assert is_a_note(text)
