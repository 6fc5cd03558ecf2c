"""The queue and the chart as psychiatrists use them."""

import re
import uuid
from datetime import timedelta

import pytest

from common import protocol
from common.models import AuditEntry
from intake import access, actions
from intake.models import Decision, EligibilityEvaluation, Intake
from tests.conftest import a_patient, a_psychiatrist
from tests.intake.builders import a_claimed_intake, a_draft, a_submitted_intake, an_accepted_intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]


def post(client, address, data=None):
    return client.post(address, {"intent": str(uuid.uuid4()), **(data or {})})


def seen_of(patient) -> str:
    """The evaluation that stands on this person's chart now."""
    return str(access.latest_evaluation(patient).pk)


def read_then_sign(client, address, form):
    """A letter is read as the patient will read it, then signed in just these words."""
    shown = post(client, address, form)
    assert shown.status_code == 200 and not Decision.objects.filter(kind="decline").exists()
    return post(
        client,
        address,
        form | {"read": re.search(r'name="read" value="([0-9a-f]+)"', shown.content.decode())[1]},
    )


@pytest.fixture
def now(clock_at, at):
    with clock_at(at + timedelta(minutes=15)):
        yield at + timedelta(minutes=15)


def waiting(name: str, at, *, state="CA", urgency=0, **fields) -> Intake:
    """A row in the queue without its whole story."""
    user = a_patient(name, state=state)
    return Intake.objects.create(
        patient=user.patient, state="submitted", care_state=state, urgency=urgency, outcome="review",
        reasons=["E22"], created_at=at, submitted_at=at, **fields,
    )  # fmt: skip


def names_on(response) -> list[str]:
    return re.findall(r'<a href="/queue/[0-9a-f-]+/">([^<]+)</a>', response.content.decode())


def test_the_queue_shows_the_most_urgent_first_then_the_oldest(client_for, dana, at, now):
    waiting("Old Routine", at - timedelta(days=3))
    waiting("New Urgent", at, urgency=3)
    waiting("Older Urgent", at - timedelta(hours=1), urgency=3)
    waiting("Newyorker Today", at, state="NY", urgency=2)
    waiting("Texan Elsewhere", at, state="TX", urgency=3)
    assert names_on(client_for(dana).get("/queue/")) == [
        "Older Urgent",
        "New Urgent",
        "Newyorker Today",
        "Old Routine",
    ]


def test_pages_follow_each_other_without_gap_or_double(client_for, dana, at, now):
    for number in range(57):
        waiting(
            f"P{number:02d} Person",
            at - timedelta(minutes=number % 5),
            urgency=number % 4,
            state="CA" if number % 2 else "NY",
        )
    client, seen, address = client_for(dana), [], "/queue/"
    while address:
        response = client.get(address)
        seen += names_on(response)
        found = re.search(r'rel="next" href="([^"]+)"', response.content.decode())
        address = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == 57


def test_the_queue_files_a_rule_under_what_it_means_in_the_protocol_in_force(
    client_for, dana, admin_ann, admin_ben, at, now
):
    """A rule that excludes since yesterday does not wait under “Review”."""
    intake = waiting("A Person", at)
    client = client_for(dana)
    pages = ("/queue/", f"/queue/{intake.pk}/")
    for page in pages:
        words = client.get(page).text
        assert "Review" in words and "Excludes" not in words
    draft, _ = actions.propose_rule_change(
        "E22", {"outcome": "exclude"}, version="e22-out", note="The board asked for it.", by=admin_ann, at=at
    )
    protocol.approve(draft, by=admin_ben, at=at)
    for page in pages:
        assert "Excludes" in client.get(page).text


def test_a_page_of_the_queue_costs_the_same_few_queries_however_many_wait(
    client_for, dana, at, now, django_assert_num_queries
):
    client = client_for(dana)
    for number in range(30):
        waiting(f"P{number:02d} Person", at)
    client.get("/queue/")
    with django_assert_num_queries(5):
        assert client.get("/queue/").status_code == 200


def test_the_next_page_is_found_by_the_index_and_not_by_counting(dana, at):
    """Same cost at 1,000 and 1,000,000 waiting: the plan descends the partial index for first and later pages alike."""
    from django.db import connection

    from intake.access import queue

    first = waiting("A Person", at)
    for after in (None, access.Place(0, first.submitted_at, first.pk)):
        with connection.cursor() as cursor:
            # One row tempts the planner to any plan; without these it takes the one that a long queue gets.
            for other in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{other} = off")
            values = {"states": ["CA", "NY"], "at": at, "limit": 26}
            if after:
                values |= {"urgency": after.urgency, "submitted_at": after.submitted_at, "id": after.id}
            cursor.execute("EXPLAIN " + queue._QUEUE_SQL.format(after=queue._AFTER if after else ""), values)
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "intakes_waiting" in plan
        if after:
            assert re.search(r"Index Cond:.*ROW\(", plan), plan


def test_a_broken_place_in_the_queue_is_a_clear_answer(client_for, dana, now):
    for token in ("x", "%00", "MHxufDE", "a" * 5000):
        assert client_for(dana).get("/queue/", {"after": token}).status_code == 422


def test_taking_an_intake_opens_the_chart_and_leaves_a_trace(client_for, dana, stranger_patient, at, now):
    intake = a_submitted_intake(stranger_patient, at, full_name="Bob Tanaka")
    client = client_for(dana)
    assert client.get(f"/chart/{intake.patient_id}/").status_code == 404
    response = post(client, f"/queue/{intake.pk}/")
    assert response["Location"] == f"/chart/{intake.patient_id}/"
    assert client.get(response["Location"]).status_code == 200
    assert (
        AuditEntry.objects.filter(
            action="chart.opened", patient_id=intake.patient_id, actor=f"user:{dana.pk}"
        ).count()
        == 1
    )
    assert "Bob Tanaka" in client.get("/queue/").content.decode()  # in her hands


def test_the_chart_needs_twelve_queries_at_most(client_for, dana, alice, at, now, query_budget):
    intake = a_claimed_intake(alice, dana, at, medicines=("Zoloft", "Xanax"), aneurysm="yes", egfr="")
    client = client_for(dana)
    client.get(f"/chart/{intake.patient_id}/")
    with query_budget(12):
        text = client.get(f"/chart/{intake.patient_id}/").content.decode()
    assert "E23" in text and "E58" in text and "118" in text and "Decline" in text


def test_a_chart_is_closed_to_everybody_else(
    client, client_for, alice, stranger_patient, other_psychiatrist, cole, admin_ann, dana, at, now
):
    """PR-02: a stranger psychiatrist, another patient, the coach, an administrator: no such page, not a byte of it."""
    intake = a_claimed_intake(alice, dana, at)
    addresses = [
        f"/chart/{intake.patient_id}/",
        f"/queue/{intake.pk}/",
        f"/chart/{intake.patient_id}/decide/accept/",
    ]
    for user in (other_psychiatrist, stranger_patient, cole, admin_ann, alice):
        for address in addresses:
            response = client_for(user).get(address)
            assert response.status_code == 404, (user, address)
            assert b"Lindqvist" not in response.content.replace(str(user).encode(), b"")
    assert client.get(addresses[0]).status_code == 302


def test_a_draft_is_nobodys_business_yet(client_for, dana, alice, at, now):
    draft = a_draft(alice, at)
    assert client_for(dana).get(f"/queue/{draft.pk}/").status_code == 404
    assert client_for(dana).get(f"/chart/{alice.pk}/").status_code == 404


def test_accepting_needs_the_second_factor_and_is_signed(client_for, dana, alice, at, now):
    """PR-11."""
    intake = a_claimed_intake(alice, dana, at)
    client = client_for(dana)
    address = f"/chart/{intake.patient_id}/decide/accept/"
    page = client.get(address).content.decode()
    seen = re.search(r'name="seen" value="([0-9a-f-]+)"', page)[1]
    session = client.session
    from accounts.step_up import METHODS_KEY

    fresh = session[METHODS_KEY]
    session[METHODS_KEY] = [{**fresh[0], "at": fresh[0]["at"] - 301}]
    session.save()
    # Nothing is signed, and what was typed is not lost on the way to the second factor.
    refused = post(client, address, {"seen": seen, "note": "BP <90 lying"})
    assert refused.status_code == 403 and "reauthenticate" in refused.content.decode()
    assert "BP &lt;90 lying" in refused.content.decode()
    assert not Decision.objects.exists()
    assert "reauthenticate" in client.get(address)["Location"]
    session[METHODS_KEY] = fresh
    session.save()
    assert post(client, address, {"seen": seen, "note": ""})["Location"] == "/queue/"
    decision = Decision.objects.get()
    assert (decision.kind, decision.by, decision.evaluation.stage) == ("accept", dana, "decision")
    intake.refresh_from_db()
    assert intake.state == "accepted"


def test_declining_begins_with_a_kind_letter_and_the_patient_reads_it(client_for, dana, alice, at, now):
    intake = a_claimed_intake(alice, dana, at, aneurysm="yes")
    client = client_for(dana)
    address = f"/chart/{intake.patient_id}/decide/decline/"
    page = client.get(address).content.decode()
    assert "Dear Alice Lindqvist" in page and "1-800-662-4357" in page
    assert post(client, address, {"note": "", "letter": "Dear Alice"}).status_code == 422
    form = {
        "reasons": ["E23"], "note": "", "letter": "Dear Alice, not <now>.", "seen": seen_of(intake.patient)
    }  # fmt: skip
    assert read_then_sign(client, address, form)["Location"] == "/queue/"
    assert "Dear Alice, not &lt;now&gt;." in client_for(alice).get("/intake/").content.decode()


def test_asking_for_more_is_shown_with_its_pages_and_its_day(client_for, dana, alice, at, now):
    intake = a_claimed_intake(alice, dana, at)
    post(
        client_for(dana),
        f"/chart/{intake.patient_id}/decide/ask_more/",
        {"items": ["heart"], "letter": "When was it?", "note": "", "seen": seen_of(intake.patient)},
    )
    text = client_for(alice).get("/intake/").content.decode()
    assert "When was it?" in text and "Please look again" in text and "December 7, 2026" in text


def test_a_chart_that_changed_meanwhile_is_not_signed(client_for, dana, alice, at, now):
    """HZ-20."""
    intake = a_claimed_intake(alice, dana, at)
    client = client_for(dana)
    address = f"/chart/{intake.patient_id}/decide/accept/"
    seen = re.search(r'name="seen" value="([0-9a-f-]+)"', client.get(address).content.decode())[1]
    actions.add_medicine(intake.patient, name="Nardil", dose_text="", by=alice, at=now)
    # A fresh view with what was typed, and what is new said: the next press signs what stands there.
    shown = post(client, address, {"seen": seen, "note": "Fits, meet & see."})
    text = shown.content.decode()
    assert shown.status_code == 409 and "Fits, meet &amp; see." in text
    assert "True now: E56" in text and not Decision.objects.exists()
    fresh = re.search(r'name="seen" value="([0-9a-f-]+)"', text)[1]
    assert fresh != seen
    assert post(client, address, {"seen": fresh, "note": "MAOI: see at the visit."}).status_code == 302
    assert Decision.objects.get().reasons == ["E56", "E66"]


@pytest.mark.parametrize("seen", [None, "not-a-chart"])
def test_a_form_that_does_not_say_which_chart_was_read_signs_nothing(client_for, dana, alice, at, now, seen):
    """HZ-20."""
    intake = a_claimed_intake(alice, dana, at)
    client, address = client_for(dana), f"/chart/{intake.patient_id}/decide/accept/"
    actions.add_medicine(intake.patient, name="tramadol", dose_text="", by=alice, at=now)
    form = {"note": "Fits, meet & see."} | ({"seen": seen} if seen else {})
    refused = post(client, address, form)
    text = refused.content.decode()
    assert refused.status_code == 422 and not Decision.objects.exists()
    assert "does not say which chart was read" in text and "Fits, meet &amp; see." in text
    assert re.search(r'name="seen" value="([0-9a-f-]+)"', text)[1] == seen_of(intake.patient)


def test_what_changed_since_the_chart_was_read_is_said_before_anything_is_typed(
    client_for, dana, alice, at, now
):
    """HZ-20."""
    intake = a_claimed_intake(alice, dana, at)
    client = client_for(dana)
    chart = client.get(f"/chart/{intake.patient_id}/").content.decode()
    link = re.search(r'href="(/chart/[^"]+/decide/accept/\?seen=[^"]+)"', chart)[1]
    assert "The chart changed" not in client.get(link).content.decode()
    actions.add_medicine(intake.patient, name="Xanax", dose_text="", by=alice, at=now)
    text = client.get(link).content.decode()
    assert "The chart changed after you opened it" in text and "True now: E58" in text


def test_put_back_means_somebody_else_may_take_it_at_once(client_for, dana, alice, at, now):
    intake = a_claimed_intake(alice, dana, at)
    post(client_for(dana), f"/queue/{intake.pk}/give-back/")
    other = a_psychiatrist("Nora Fields", "CA")
    assert post(client_for(other), f"/queue/{intake.pk}/").status_code == 302


def test_a_walked_away_claim_is_back_in_the_queue_when_its_lease_ends(dana, alice, at):
    intake = a_claimed_intake(alice, dana, at)
    codes = access.states_today(dana, at)
    before, _ = access.queue_page(codes, at=at + timedelta(minutes=39))
    after, _ = access.queue_page(codes, at=at + timedelta(minutes=40))
    assert ([row["id"] for row in before], [row["id"] for row in after]) == ([], [intake.pk])


def test_what_reopened_is_settled_on_the_chart(client_for, dana, alice, at, now):
    intake = an_accepted_intake(alice, dana, at)
    actions.add_medicine(
        intake.patient, name="Nardil", dose_text="", by=alice, at=now + timedelta(minutes=10)
    )
    client = client_for(dana)
    assert "eligibility is open again" in client.get(f"/chart/{alice.pk}/").content.decode()
    form = {"note": "Stopped two weeks ago."}
    assert post(client, f"/chart/{alice.pk}/settle/", form).status_code == 422
    assert not EligibilityEvaluation.objects.filter(cause="settled").exists()
    post(client, f"/chart/{alice.pk}/settle/", form | {"seen": seen_of(intake.patient)})
    newest = EligibilityEvaluation.objects.latest("at")
    assert (
        newest.cause in ("settled", "reopened")
        and EligibilityEvaluation.objects.filter(cause="settled").count() == 1
    )


def reopened_chart(client_for, dana, alice, at, now):
    """Alice's chart, open again because of a medicine, on Dana's screen."""
    intake = an_accepted_intake(alice, dana, at)
    actions.add_medicine(
        intake.patient, name="Nardil", dose_text="", by=alice, at=now + timedelta(minutes=10)
    )
    client = client_for(dana)
    page = client.get(f"/chart/{alice.pk}/").content.decode()
    return intake, client, re.search(r'name="seen" value="([0-9a-f-]+)"', page)[1]


def test_a_note_that_settles_comes_back_when_the_second_factor_has_grown_old(
    client_for, dana, alice, at, now
):
    """PR-11: nothing is signed without it, and no word is lost on the way to it."""
    from accounts.step_up import METHODS_KEY

    _, client, seen = reopened_chart(client_for, dana, alice, at, now)
    session = client.session
    fresh = session[METHODS_KEY]
    session[METHODS_KEY] = [{**fresh[0], "at": fresh[0]["at"] - 301}]
    session.save()
    form = {"note": "Stopped two weeks ago, BP <90 lying.", "seen": seen}
    refused = post(client, f"/chart/{alice.pk}/settle/", form)
    text = refused.content.decode()
    assert refused.status_code == 403 and "reauthenticate" in text
    assert "BP &lt;90 lying." in text
    assert not EligibilityEvaluation.objects.filter(cause="settled").exists()
    session[METHODS_KEY] = fresh
    session.save()
    assert post(client, f"/chart/{alice.pk}/settle/", form).status_code == 302
    assert EligibilityEvaluation.objects.get(cause="settled").facts["settled_note"] == form["note"]


def test_a_note_too_short_or_missing_comes_back_with_the_chart(client_for, dana, alice, at, now):
    _, client, seen = reopened_chart(client_for, dana, alice, at, now)
    for note in ("", "ok"):
        refused = post(client, f"/chart/{alice.pk}/settle/", {"note": note, "seen": seen})
        assert refused.status_code == 422 and "Why may care go on?" in refused.content.decode()
    assert not EligibilityEvaluation.objects.filter(cause="settled").exists()


def test_what_changed_after_the_chart_was_opened_is_read_before_it_is_settled(
    client_for, dana, alice, at, now
):
    """HZ-12, HZ-20: the signature is about what stood on the page."""
    intake, client, seen = reopened_chart(client_for, dana, alice, at, now)
    actions.add_medicine(
        intake.patient, name="Theophylline", dose_text="", by=alice, at=now + timedelta(minutes=20)
    )
    form = {"note": "Stopped two weeks ago.", "seen": seen}
    refused = post(client, f"/chart/{alice.pk}/settle/", form)
    text = refused.content.decode()
    assert refused.status_code == 409 and "Something else changed" in text
    assert "Stopped two weeks ago." in text
    assert not EligibilityEvaluation.objects.filter(cause="settled").exists()
    form["seen"] = re.search(r'name="seen" value="([0-9a-f-]+)"', text)[1]
    assert post(client, f"/chart/{alice.pk}/settle/", form).status_code == 302
    assert EligibilityEvaluation.objects.filter(cause="settled").count() == 1


def test_what_is_settled_at_the_visit_does_not_read_as_an_exclusion(client_for, dana, alice, at, now):
    intake = an_accepted_intake(alice, dana, at)
    found = access.chart_of(intake.patient)
    assert [text.id for text in found.before_an_order()] == ["E69"]
    assert (found.result(), found.unknown()) == ("ok", [])
    text = client_for(dana).get(f"/chart/{alice.pk}/").content.decode()
    assert "To settle before an order" in text and "Rules exclude" not in text


def marks(html: str) -> list[tuple[str, str]]:
    """(kind, word) of every mark of the page's main part that has a picture; never a colour alone."""
    main = html.split("<main")[1].split("</main>")[0]
    return re.findall(r'<span class="pill pill--(\w+)"><svg [^>]*>.*?</svg>([^<]+)</span>', main)


def test_the_queue_marks_a_crisis_and_an_exclusion_red_and_a_review_amber_gravest_first(
    client_for, dana, at, now
):
    intake = waiting("Rosa Marsh", at, urgency=3)
    Intake.objects.filter(pk=intake.pk).update(outcome="exclude", reasons=["E22", "E23", "E19"])
    html = client_for(dana).get("/queue/").content.decode()
    assert marks(html) == [
        ("act", "Now"), ("stop", "Rules exclude"), ("act", "Crisis"), ("stop", "Excludes"), ("pause", "Review"),
    ]  # fmt: skip
    why = html.split('<div class="why">')[1].split("</div>")[0]
    assert why.index("E19 ") < why.index("E23 ") < why.index("E22 ")
    opened = client_for(dana).get(f"/queue/{intake.pk}/").content.decode()
    assert marks(opened)[-3:] == [("act", "Crisis"), ("stop", "Excludes"), ("pause", "Review")]


def test_more_reasons_than_fit_a_row_leave_out_the_mildest_and_say_how_many(client_for, dana, at, now):
    intake = waiting("Rosa Marsh", at)
    many = ["E22", "E25", "E29", "E43", "E51", "E53", "E54", "E71", "E19"]
    Intake.objects.filter(pk=intake.pk).update(reasons=many)
    why = client_for(dana).get("/queue/").content.decode().split('<div class="why">')[1].split("</div>")[0]
    assert "E19 " in why and "and 3 more" in why


def test_the_chart_marks_what_excludes_red_and_what_needs_a_look_amber(client_for, alice, dana, at, now):
    a_claimed_intake(alice, dana, at, aneurysm="yes", cannabis_daily="yes", cssrs_q2="yes", cssrs_q5="yes")
    html = client_for(dana).get(f"/chart/{alice.pk}/").content.decode()
    rules = html.split('id="rules"')[1].split('id="medicines"')[0]
    found = {
        word: kind
        for kind, word in re.findall(r'<span class="pill pill--(\w+)"><svg.*?</svg>([^<]+)</span>', rules)
    }
    assert found["E23"] == "stop" and found.get("E54") == "pause" and found["E19 crisis"] == "act", found
    assert ("stop", "Rules exclude") in marks(html)
