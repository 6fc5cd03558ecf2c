"""docs/screens shows each page: the routes of the URLconf beside the addresses in its index, without a browser."""

import hashlib
from pathlib import Path

from tests.screens import routes

FOLDER = routes.INDEX.parent


def test_every_page_has_a_picture_or_a_reason_for_none() -> None:
    missing = routes.without_a_picture()
    assert missing == [], (
        f"Add them to tests/screens/places and draw them (`python -m tests.screens`), or say in tests/screens/routes.py why not: {missing}"
    )


def test_no_reason_outlives_its_route_and_no_page_with_a_picture_needs_one() -> None:
    known = set(routes.pages())
    shown = {routes.route_of(row["address"]) for row in routes.pictures()}
    assert [path for path in routes.WITHOUT if path not in known or path in shown] == []


def test_every_picture_of_the_index_is_there_and_every_file_is_in_the_index() -> None:
    named = {row["name"] for row in routes.pictures()}
    assert named == {file.name for file in FOLDER.glob("*.webp")}
    words = (Path(FOLDER).parent / "screens.md").read_text()
    assert [name for name in sorted(named) if f"(screens/{name})" not in words] == []


def test_no_two_pages_have_one_picture() -> None:
    """An address that was mistyped shows another page, and nobody sees it in the index."""
    seen: dict[bytes, str] = {}
    same = []
    for file in sorted(FOLDER.glob("*.webp")):
        other = seen.setdefault(hashlib.sha256(file.read_bytes()).digest(), file.name)
        same += [(other, file.name)] if other != file.name else []
    assert same == []


def test_what_only_patients_sitters_and_guests_open_is_shown_on_a_phone() -> None:
    on_a_phone = {
        routes.route_of(row["address"]) for row in routes.pictures() if row["name"].endswith("-360.webp")
    }
    wide = [
        path for path in routes.pages_of_patients() if path not in on_a_phone and path not in routes.WITHOUT
    ]
    assert wide == []
