"""What the care team reads about an alert has no codes in it."""

import pytest

from safety.wording import sign_words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("phq9:1", "PHQ-9 item 9: 1"),
        ("suicide_risk:low", "suicide-risk questions: low"),
        ("emergency_symptom", "emergency symptom"),
        ("check_in", "check-in"),
    ],
)
def test_a_sign_of_an_alert_is_said_in_words(code: str, words: str) -> None:
    assert sign_words(code) == words
