"""A coach's call, two administrators and a protocol, and a form by keyboard alone."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from accounts.models import User
from coaching.actions import plan_course
from coaching.models import CheckIn
from common.models import ProtocolVersion
from tests.journeys.conftest import JourneyClock
from tests.journeys.walker import Walker
from tests.sessions.builders import a_finished_session

Browsers = Callable[..., Walker]


def test_a_coach_writes_down_the_call_after_a_session(
    browser_of: Browsers, the_clock: JourneyClock, at: dt.datetime, alice: User, dana: User, cole: User
) -> None:
    session = a_finished_session(alice, dana, at)
    plan_course(session.course, by="system:beat", at=at)
    the_clock.stands_at(at + dt.timedelta(days=3, hours=1))
    coach = browser_of("Cole", user=cole)
    coach.opens("/coaching/").sees("Alice Lindqvist")
    coach.follows("Write the call").is_at("/coaching/check-in/")
    called = CheckIn.objects.get(pk=coach.path.rstrip("/").split("/")[-1])
    coach.chooses("reached", "yes").picks("mood", "6").chooses("suicidal_thoughts", "no")
    coach.types("note", "Slept well. A warm room with many doors.").presses("Save the call").is_at(
        "/coaching/"
    )
    called.refresh_from_db()
    assert called.done_at is not None


def test_a_protocol_version_needs_two_administrators(
    browser_of: Browsers, admin_ann: User, admin_ben: User, protocol_version: ProtocolVersion
) -> None:
    """HZ-28: whoever proposes cannot approve."""
    ann, ben = browser_of("Ann", user=admin_ann), browser_of("Ben", user=admin_ben)
    ann.opens("/admin/common/protocolversion/add/")
    ann.page.locator("[name=version]").fill("2027.1")
    ann.page.get_by_role("button", name="Save", exact=True).first.click()
    ann.looks()
    draft = ProtocolVersion.objects.get(version="2027.1")
    ann.opens(f"/admin/common/protocolversion/{draft.pk}/review/").sees(
        "Another administrator must read and approve it"
    )
    assert not ann.page.get_by_role("button", name="Approve").count()
    ben.opens(f"/admin/common/protocolversion/{draft.pk}/review/").presses("Approve 2027.1").sees(
        "is in force"
    )
    draft.refresh_from_db()
    assert (draft.approved_by_id, draft.proposed_by_id) == (admin_ben.pk, admin_ann.pk)


def test_the_assessment_can_be_answered_by_keyboard_alone(
    browser_of: Browsers, protocol_version: Any
) -> None:
    """Tab, arrows, space and Enter; the focus can be seen at every stop, and errors take it."""
    visitor = browser_of("A visitor with a keyboard")
    visitor.opens("/assessment/you/")
    press = visitor.page.keyboard.press
    # The first stop of the page skips to what matters.
    press("Tab")
    assert focused(visitor)["text"] == "Skip to the page"
    press("Enter")
    reach(visitor, "age_years")
    # Sent empty, the summary of what is wrong takes the focus.
    press("Enter")
    visitor.page.wait_for_selector(".error-summary")
    visitor.looks()
    assert "error-summary" in focused(visitor)["class"]
    reach(visitor, "age_years")
    visitor.page.keyboard.type("38")
    reach(visitor, "state")
    visitor.page.keyboard.type("California")
    press("Enter")
    reach(visitor, "", text="Next")
    press("Enter")
    visitor.page.wait_for_url("**/assessment/why/")
    visitor.looks()
    for name in ("main_problem", "low_mood", "worry"):
        reach(visitor, name)
        press("Space")
        assert focused(visitor)["checked"], name
    reach(visitor, "", text="Next")
    press("Enter")
    visitor.page.wait_for_url("**/assessment/video/")
    visitor.looks().sees("988")


def focused(walker: Walker) -> dict[str, Any]:
    """What has the focus, and whether it shows."""
    found: dict[str, Any] = walker.page.evaluate(
        """() => { const one = document.activeElement, style = getComputedStyle(one);
        return {name: one.name || "", text: (one.textContent || "").trim(), class: one.className, checked: !!one.checked,
                shown: style.outlineStyle !== "none" || style.boxShadow !== "none"
                       || getComputedStyle(one.parentElement).outlineStyle !== "none"
                       || getComputedStyle(one.parentElement).boxShadow !== "none"}; }"""
    )
    return found


def reach(walker: Walker, name: str, *, text: str = "") -> None:
    """Tab until a control has the focus; every stop on the way must be seen."""
    for _ in range(40):
        walker.page.keyboard.press("Tab")
        now = focused(walker)
        assert now["shown"], f"the focus cannot be seen on {now}"
        if (name and now["name"] == name) or (text and now["text"] == text):
            return
    raise AssertionError(f"{name or text} is not reached by Tab on {walker.path}")
