"""Generated docs are as the code draws them, and every promise and hazard has a test or says what it waits for."""

import pytest

from portal import drawings


@pytest.mark.parametrize("pages", ["states", "protocol", "hazards"])
def test_generated_pages_are_up_to_date(pages: str) -> None:
    assert drawings.stale(getattr(drawings, pages)()) == []


def test_every_promise_and_hazard_has_a_test_or_waits_for_something_named() -> None:
    held = drawings.tests_by_id()
    bare = [id for id, about in drawings.IDS.items() if id not in held and not about.get("waits_for")]
    assert bare == []


def test_nothing_waits_that_has_its_test() -> None:
    held = drawings.tests_by_id()
    assert [id for id, about in drawings.IDS.items() if id in held and about.get("waits_for")] == []


def test_no_test_names_an_id_that_does_not_exist() -> None:
    assert set(drawings.tests_by_id()) <= set(drawings.IDS)
