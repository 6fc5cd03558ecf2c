"""A note that somebody else can read later: where a decision about a person's safety asks for one, a sign or a syllable is none."""

LEAST_CHARACTERS = 10
# So that "xxxxxxxxxx" and "-- -- -- --" are none either.
LEAST_DIFFERENT_LETTERS = 4


def is_a_note(text: str) -> bool:
    """Long enough to say something, and made of letters."""
    said = " ".join(text.split())
    letters = {letter for letter in said.casefold() if letter.isalpha()}
    return len(said) >= LEAST_CHARACTERS and len(letters) >= LEAST_DIFFERENT_LETTERS
