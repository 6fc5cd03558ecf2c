"""Finding a medicine by what somebody typed, misspelled or not. The names are data; PostgreSQL compares the trigrams."""

from dataclasses import dataclass
from functools import cache

from django.db import connection

from intake.rules.steps import KnownMedicine, formulary

# Of 1, how alike two spellings must be to be offered at all, and to be asked about when somebody adds a name we do not know.
OFFERED_FROM, ASKED_FROM = 0.4, 0.45
MOST = 8


@dataclass(frozen=True, slots=True)
class Match:
    """One medicine for what was typed: the name that matched, its generic name, and how alike they are."""

    name: str
    generic: str
    alike: float


@cache
def _names() -> tuple[tuple[str, ...], tuple[KnownMedicine, ...]]:
    pairs = [(name, known) for known in formulary() for name in (known.name, *known.brands)]
    return tuple(name for name, _ in pairs), tuple(known for _, known in pairs)


def search_medicines(typed: str, *, least: float = OFFERED_FROM) -> list[Match]:
    """The medicines most like what was typed, best first, each once: one query. Beginnings of a name count as much as typos."""
    words = " ".join(typed.replace("\x00", " ").encode("utf-8", "ignore").decode().split())[:100]
    if len(words) < 2:
        return []
    names, known = _names()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT place, alike FROM (
                SELECT place, greatest(
                    similarity(lower(name), lower(%(typed)s)),
                    word_similarity(lower(name), lower(%(typed)s)),
                    CASE WHEN starts_with(lower(name), lower(%(typed)s)) THEN 0.9 ELSE 0 END) AS alike
                FROM unnest(%(names)s::text[]) WITH ORDINALITY AS t (name, place)
            ) AS compared WHERE alike >= %(least)s ORDER BY alike DESC, place LIMIT 40
            """,
            {"typed": words, "names": list(names), "least": least},
        )
        rows = cursor.fetchall()
    found: dict[str, Match] = {}
    for place, alike in rows:
        one = known[place - 1]
        found.setdefault(one.name, Match(names[place - 1], one.name, round(float(alike), 2)))
    return list(found.values())[:MOST]


def meant(typed: str) -> list[Match]:
    """What somebody may have meant whose word is in no list: close enough to ask about, three at most."""
    return search_medicines(typed, least=ASKED_FROM)[:3]
