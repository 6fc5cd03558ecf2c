"""A practice that is not told when its crisis lane dies is told so when it is deployed (HZ-30)."""

import pytest

from safety.checks import lane_is_watched


@pytest.mark.parametrize(
    ("deadman", "drill", "ids"),
    [
        ("", "", ["safety.W001", "safety.W002"]),
        ("https://deadman.example/x", "0", ["safety.W002"]),
        ("", "1", ["safety.W001"]),
        ("https://deadman.example/x", "1", []),
    ],
)
def test_the_dead_man_service_and_the_drill_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, deadman: str, drill: str, ids: list[str]
) -> None:
    monkeypatch.setenv("PAGER_DEADMAN_URL", deadman)
    monkeypatch.setenv("PAGER_DAILY_DRILL", drill)
    assert [found.id for found in lane_is_watched(None)] == ids
