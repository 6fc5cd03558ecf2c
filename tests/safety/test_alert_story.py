"""One page tells the whole story of an alert; many alerts of one cause are one line that hides nobody's emergency (HZ-24)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from notify.models import OutboxMessage
from safety import actions
from safety.alert_story import failing_channels, grouped, may_be_grouped
from safety.models import Alert
from tests.conftest import a_person
from tests.notify.builders import a_mail
from tests.safety.builders import a_shift, an_alert


def a_crowd(count: int) -> list[User]:
    from accounts import actions as people

    crowd = [a_person("patient", f"P{n} Person") for n in range(count)]
    for user in crowd:
        people.register_patient(user, by=user, at=datetime.fromisoformat("2026-11-01T00:00:00+00:00"))
    return crowd


def test_the_page_tells_the_whole_story(
    client_for: Any, alice: User, dana: User, other_psychiatrist: User, at: datetime
) -> None:
    a_shift(dana, at)
    alert = an_alert(alice, at, trigger="X04", severity=3, magnitude=170, detail_codes=["no_dose"])
    an_alert(alice, at + timedelta(minutes=1), trigger="X04", severity=3, magnitude=165)
    an_alert(alice, at + timedelta(minutes=2), trigger="X04", severity=4, magnitude=190)
    actions.escalate_due(at=at + timedelta(minutes=8))
    alert.refresh_from_db()
    actions.acknowledge(alert, by=dana, at=at + timedelta(minutes=9))
    actions.close(
        alert, by=dana, at=at + timedelta(minutes=20), disposition="contacted_safe", note="Rested; 138/84."
    )
    page = client_for(dana).get(f"/alerts/{alert.pk}/").content.decode()
    for words in (
        "opened, and people were paged", "the same sign again", "a worse sign", "more were called: second on call",
        "taken, by Dana Reyes", "closed, by Dana Reyes", "What they were shown", "when to call 911", "Rested; 138/84.",
    ):  # fmt: skip
        assert words in page, words


def test_hz_24_many_of_one_cause_are_one_line_and_each_is_in_it(
    client_for: Any, alice: User, dana: User, at: datetime
) -> None:
    a_shift(dana, at)
    for user in a_crowd(5):
        an_alert(user, at, trigger="X19", detail_codes=["t40_missing_15_min"])
    an_alert(alice, at)
    page = client_for(dana).get("/alerts/").content.decode()
    assert "5 people: Required reading after the dose missing" in page
    assert page.count("I am taking this") == 6
    # The emergency stands on its own, before the group.
    assert page.index("High suicide risk") < page.index("5 people:")


def test_hz_24_each_persons_first_page_goes_however_many_share_the_cause(dana: User, at: datetime) -> None:
    a_shift(dana, at)
    alerts = [an_alert(user, at, trigger="X19", detail_codes=["t40_missing_15_min"]) for user in a_crowd(12)]
    pages = OutboxMessage.objects.filter(kind="crisis_page", lane="crisis", due_at=at)
    assert {page.about_id for page in pages} == {alert.pk for alert in alerts}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["X02", "X04", "X19", "X20"]), st.integers(1, 4), st.sampled_from(["open", "acknowledged"])
        ),
        max_size=30,
    )
)  # fmt: skip
def test_hz_24_grouping_loses_nobody_and_folds_no_emergency(rows: list[tuple[str, int, str]]) -> None:
    alerts = [
        Alert(trigger=trigger, severity=severity, state=state, episode_key="suicide_risk" if trigger == "X02" else "x")
        for trigger, severity, state in rows
    ]  # fmt: skip
    groups = grouped(alerts)
    shown = [alert.pk for group in groups for alert in group]
    assert sorted(map(str, shown)) == sorted(str(alert.pk) for alert in alerts)
    for group in groups:
        assert len(group) == 1 or (
            len(group) >= 4 and all(may_be_grouped(alert) for alert in group) and len({a.trigger for a in group}) == 1
        )  # fmt: skip


@pytest.mark.parametrize(("people", "told"), [(2, False), (3, True)])
def test_hz_24_a_vendor_that_fails_for_many_is_one_line(
    db: None, at: datetime, people: int, told: bool
) -> None:
    for user in a_crowd(people):
        a_mail(user, at)
    OutboxMessage.objects.update(state="failed", created_at=at)
    lines = failing_channels(at=at)
    assert bool(lines) is told
    assert not told or lines[0].startswith("3 people:")
