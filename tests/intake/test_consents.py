"""Consent: one text for each version and state, signed as shown, withdrawn in one step, readable for ever."""

import datetime as dt
import io
import re
import uuid

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from pypdf import PdfReader

from common import clock, protocol
from common.errors import Conflict, Invalid, NotPermitted, StaleVersion
from common.models import AuditEntry
from intake import access, actions
from intake.models import Consent, ConsentText, ConsentWithdrawal
from intake.paper import consent_pdf
from intake.rules.devices import device_note
from intake.rules.documents import (
    DOCUMENTS,
    FOLDER,
    compose,
    document,
    index,
    read_document,
    shipped_version,
    state_has_text,
)
from notify.models import OutboxMessage
from safety.models import Task
from sessions.access import gate_inputs
from sessions.models import Course, DosingSession
from tests.intake.builders import an_accepted_intake
from tests.sessions.builders import a_session_ready_for_release
from tests.sessions.test_gate_database import an_unsaved_release, by_trigger

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
HOUR = dt.timedelta(hours=1)


def signs(user, at, *, name: str | None = None, state: str | None = None):
    """Both texts, for the state the person is in."""
    patient = access.current_intake(user.pk).patient if access.current_intake(user.pk) else user.patient
    patient.refresh_from_db()
    return [
        actions.sign_consent(
            patient, text, sha256=text.sha256, signed_name=name or user.full_name, acknowledged=text.acknowledge,
            by=user, at=at, device="Safari on iPhone",
        )
        for text in access.texts_for(patient, at)
    ]  # fmt: skip


def send(client, address, data=None, *, intent=None, **headers):
    return client.post(address, {"intent": intent or str(uuid.uuid4()), **(data or {})}, **headers)


# --- the texts ---


def test_every_state_has_a_text_of_its_own_hash_and_an_unknown_one_has_none():
    """Unknown means: no consent is possible."""
    assert len(index()["states"]) == 51
    for name in DOCUMENTS:
        hashes = {document(name, state).sha256 for state in index()["states"]}
        assert len(hashes) == 51
    for state in ("", "PR", "ZZ", "ca"):
        assert not state_has_text(state)
        with pytest.raises(KeyError):
            document("treatment-consent", state)


@pytest.mark.parametrize("state", ["CA", "NH", "NY", "TX"])
def test_a_state_with_a_part_of_its_own_asks_for_one_more_point_and_says_whose_proposal_it_is(state):
    extra = set(document("treatment-consent", state).acknowledge) - set(
        document("treatment-consent", "NV").acknowledge
    )
    assert len(extra) == 1 and next(iter(extra)).startswith(state.lower())
    assert "signed off by counsel" in index()["state_parts"][state]["status"]
    assert index()["state_parts"][state]["source"]


def test_the_parts_named_in_the_index_are_the_files_that_ship():
    files = {path.name.split(".")[0] for path in (FOLDER / shipped_version() / "states").iterdir()}
    assert files == set(index()["state_parts"])


def test_the_texts_hold_every_point_of_the_protocol():
    treatment = document("treatment-consent", "NV")
    points = {"off_label", "compounded", "fda_2022", "fda_2023", "risks", "pregnancy", "alternatives", "telehealth", "privacy", "right_to_stop"}  # fmt: skip
    assert points == set(treatment.acknowledge)
    for words in (
        "not approved by the FDA",
        "compounded",
        "2022",
        "2023",
        "Spravato",
        "988",
        "911",
    ):
        assert words in treatment.body
    agreement = document("safety-agreement", "NV")
    assert {"no_driving", "no_water", "sitter", "storage", "honest", "emergency"} == set(
        agreement.acknowledge
    )
    assert "FDA-approved" not in treatment.body + agreement.body


def test_each_point_stands_once_right_after_what_it_is_about():
    kinds = [block.kind for block in document("treatment-consent", "NV").blocks]
    ticks = [i for i, kind in enumerate(kinds) if kind == "tick"]
    assert all(kinds[i - 1] in ("p", "ul", "tick") for i in ticks)
    with pytest.raises(ValueError, match="twice"):
        read_document(
            compose(
                (FOLDER / shipped_version() / "safety-agreement.md").read_text(),
                state="NV",
                name="Nevada",
                part="- [ ] storage: Again.",
            )
        )


def test_the_documents_the_gate_wants_are_the_documents_there_are():
    data = protocol.from_files()
    assert data["gate"]["consent_documents"] == list(DOCUMENTS) == data["consent"]["documents"]
    assert data["consent"]["version"] == shipped_version()


@pytest.mark.parametrize(
    ("agent", "note"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/131.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/131.0 Safari/537.36 Edg/131.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Mac"),
        ("", "a browser"),
        ("<script>" * 500, "a browser"),
    ],
)  # fmt: skip
def test_a_signature_notes_the_kind_of_device_and_no_more(agent, note):
    assert device_note(agent) == note


# --- signing ---


def test_a_text_for_another_state_or_an_older_wording_cannot_be_signed(alice, at):
    other, own = document("safety-agreement", "NY"), document("safety-agreement", "CA")
    with pytest.raises(StaleVersion):
        actions.sign_consent(
            alice.patient,
            other,
            sha256=other.sha256,
            signed_name="Alice Lindqvist",
            acknowledged=other.acknowledge,
            by=alice,
            at=at,
        )
    with pytest.raises(StaleVersion):
        actions.sign_consent(
            alice.patient,
            own,
            sha256="0" * 64,
            signed_name="Alice Lindqvist",
            acknowledged=own.acknowledge,
            by=alice,
            at=at,
        )
    assert not Consent.objects.exists()


def test_the_page_shows_each_point_in_place_and_signing_keeps_who_when_how_and_the_hash(
    client_for, alice, at, clock_at
):
    with clock_at(at):
        browser = client_for(alice)
        send(browser, "/intake/begin/")
        text = document("treatment-consent", "CA")
        page = browser.get("/intake/consent/treatment-consent/").content.decode()
        # Each box after its own heading and before the next.
        assert (
            page.index("The FDA&#39;s alert of 2022")
            < page.index('name="fda_2022"')
            < page.index("warning of 2023")
            < page.index('name="fda_2023"')
        )
        response = send(
            browser, "/intake/consent/treatment-consent/",
            {**dict.fromkeys(text.acknowledge, "on"), "signed_name": "Alice  lindqvist", "sha256": text.sha256},
            headers={"User-Agent": "Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1"},
        )  # fmt: skip
        assert response.status_code == 302
        signed = Consent.objects.select_related("text").get()
        assert (signed.sha256, signed.text.body, signed.care_state) == (text.sha256, text.body, "CA")
        assert (signed.method, signed.device, signed.signed_at) == ("typed-name", "Safari on iPhone", at)
        assert signed.acknowledged == sorted(text.acknowledge)
        assert "In force" in browser.get("/intake/consent/").content.decode()


def test_a_point_not_ticked_keeps_what_was_ticked_and_typed(client_for, alice, at, clock_at):
    with clock_at(at):
        browser = client_for(alice)
        send(browser, "/intake/begin/")
        text = document("safety-agreement", "CA")
        ticked = dict.fromkeys(set(text.acknowledge) - {"no_water"}, "on")
        response = send(
            browser,
            "/intake/consent/safety-agreement/",
            {**ticked, "signed_name": "Alice Lindqvist", "sha256": text.sha256},
        )
    page = response.content.decode()
    assert response.status_code == 422 and 'id="id_no_water_error"' in page
    assert 'value="Alice Lindqvist"' in page and len(
        re.findall(r'type="checkbox"[^>]* checked', page)
    ) == len(ticked)
    assert not Consent.objects.exists()


def test_a_place_without_a_text_is_said_clearly(client_for, alice, at, clock_at):
    type(alice.patient).objects.filter(pk=alice.pk).update(state="")
    with clock_at(at):
        browser = client_for(alice)
        send(browser, "/intake/begin/")
        assert "About you" in browser.get("/intake/consent/").content.decode()
        assert browser.get("/intake/consent/treatment-consent/")["Location"] == "/intake/consent/"


@pytest.mark.parametrize("model", [Consent, ConsentText])
def test_a_signed_text_never_changes_even_in_the_database(alice, at, model):
    """HZ-20: PostgreSQL refuses the change and the deletion."""
    signs(alice, at)
    for change in (lambda: model.objects.update(version="other"), lambda: model.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


# --- in force: version and state ---


def a_new_wording(monkeypatch, tmp_path, admin_ann, admin_ben, at):
    """A protocol version that names another folder of texts, approved by the second person."""
    import shutil

    from intake.rules import documents

    folder = tmp_path / "consent"
    shutil.copytree(FOLDER, folder)
    shutil.copytree(folder / shipped_version(), folder / "2027-01-01")
    for path in (folder / "2027-01-01").glob("*.md"):
        path.write_text(
            path.read_text()
            .replace("version: 2026-11-22", "version: 2027-01-01")
            .replace("slowly", "very slowly")
        )
    monkeypatch.setattr(documents, "FOLDER", folder)
    documents.document.cache_clear()
    data = protocol.from_files()
    data["consent"] = {**data["consent"], "version": "2027-01-01"}
    draft = protocol.propose(version="test-2", data=data, by=admin_ann, at=at)
    return protocol.approve(draft, by=admin_ben, at=at)


@pytest.fixture(autouse=True)
def _texts_read_again():
    yield
    document.cache_clear()


def both_say(session, cole, at) -> tuple[bool, bool]:
    """Whether Python's gate and PostgreSQL's trigger miss the consent."""
    with clock.frozen(at):
        python = {r.condition for r in gate_inputs(session, by=cole, at=at, stepped_up_at=at).reasons}
        return "G2" in python, "G2" in by_trigger(an_unsaved_release(session, cole, at))


def test_a_new_version_asks_again_before_the_next_session(
    alice, dana, cole, at, admin_ann, admin_ben, monkeypatch, tmp_path, client_for
):
    """PR-08: G2 in Python and in SQL compare the version in force."""
    session = a_session_ready_for_release(alice, dana, at)
    assert both_say(session, cole, at) == (False, False)
    a_new_wording(monkeypatch, tmp_path, admin_ann, admin_ben, at)
    assert both_say(session, cole, at) == (True, True)
    with clock.frozen(at):
        assert "There is a new text for you" in client_for(alice).get("/intake/consent/").content.decode()
    signs(alice, at)
    assert both_say(session, cole, at) == (False, False)
    assert Consent.objects.filter(patient=alice.patient).count() == 4


def test_a_new_state_asks_again_before_the_next_session(alice, dana, cole, at):
    """PR-08: G2 in Python and in SQL compare the state of care."""
    session = a_session_ready_for_release(alice, dana, at)
    type(alice.patient).objects.filter(pk=alice.pk).update(state="NY")
    assert both_say(DosingSession.objects.get(pk=session.pk), cole, at) == (True, True)
    alice.patient.refresh_from_db()
    signs(alice, at)
    assert both_say(DosingSession.objects.get(pk=session.pk), cole, at) == (False, False)
    # And back: what was signed for California is in force there still.
    type(alice.patient).objects.filter(pk=alice.pk).update(state="CA")
    assert both_say(DosingSession.objects.get(pk=session.pk), cole, at) == (False, False)


def test_a_version_whose_texts_the_code_does_not_carry_leaves_nothing_in_force(
    alice, at, admin_ann, admin_ben
):
    signs(alice, at)
    data = protocol.from_files()
    data["consent"] = {**data["consent"], "version": "2031-01-01"}
    protocol.approve(protocol.propose(version="far", data=data, by=admin_ann, at=at), by=admin_ben, at=at)
    assert access.signed_now(alice.patient, at) == frozenset()


def test_people_in_care_are_asked_once_by_message_and_on_their_home(
    alice, dana, stranger_patient, at, admin_ann, admin_ben, monkeypatch, tmp_path
):
    an_accepted_intake(alice, dana, at)
    later = at + HOUR
    assert actions.ask_for_new_signatures(at=later) == 0
    a_new_wording(monkeypatch, tmp_path, admin_ann, admin_ben, later)
    for _ in range(3):
        assert actions.ask_for_new_signatures(at=later) == 1
    asked = OutboxMessage.objects.filter(kind="consent_due")
    assert [row.recipient_id for row in asked] == [alice.pk]
    from portal.home import for_patient

    assert "Read and sign your consent" in {
        one.title for one in [for_patient(alice, at=later)["next"], *for_patient(alice, at=later)["others"]]
    }
    signs(alice, later)
    assert actions.ask_for_new_signatures(at=later) == 0


def test_who_is_asked_costs_the_same_queries_for_one_as_for_many(
    alice, dana, at, django_assert_max_num_queries
):
    from tests.conftest import a_patient

    an_accepted_intake(alice, dana, at)
    for number in range(3):
        an_accepted_intake(a_patient(f"P{number} Alvarez"), dana, at)
    with django_assert_max_num_queries(5):
        access.patients_to_ask_again(at)


# --- the right to stop ---


def withdraws(user, at, **more):
    return actions.withdraw_consent(user.patient, what="consent", by=user, at=at, **more)


def test_withdrawing_locks_every_session_stops_the_course_and_tells_the_team_in_one_step(
    alice, dana, cole, at
):
    """PR-08 and HZ-12: a withdrawn consent is as strong as none."""
    session = a_session_ready_for_release(alice, dana, at)
    assert Course.objects.get().state == "active"
    withdraws(alice, at, note="It is too much for me.")
    assert Course.objects.get().state == "stopped"
    assert set(DosingSession.objects.values_list("state", flat=True)) == {"aborted"}
    assert both_say(DosingSession.objects.get(pk=session.pk), cole, at) == (True, True)
    task = Task.objects.get(kind="consent_withdrawn")
    assert (task.owner_id, task.patient_id) == (dana.pk, alice.pk)
    told = OutboxMessage.objects.filter(kind="care_team_news")
    assert {row.recipient_id for row in told} == {dana.pk, cole.pk}
    assert OutboxMessage.objects.filter(kind="consent_stopped", recipient=alice).count() == 1
    assert AuditEntry.objects.filter(action="consent.withdrawn", patient_id=alice.pk).count() == 1
    assert access.withdrawn_since_signing(alice.patient).note == "It is too much for me."


def test_after_a_dose_the_watch_goes_on_to_its_end(alice, dana, at):
    from tests.sessions.builders import a_session_in_progress

    session = a_session_in_progress(alice, dana, at)
    withdraws(alice, at + HOUR)
    assert DosingSession.objects.get(pk=session.pk).state in ("dosing", "observing")
    assert Course.objects.get().state == "stopped"


def test_a_withdrawal_happens_once_however_often_it_is_sent(client_for, alice, dana, at, clock_at):
    """PR-09."""
    an_accepted_intake(alice, dana, at)
    with clock_at(at + HOUR):
        browser = client_for(alice)
        intent = str(uuid.uuid4())
        for _ in range(3):
            assert send(browser, "/right-to-stop/", {"what": "treatment"}, intent=intent).status_code == 302
        page = browser.get("/right-to-stop/").content.decode()
        assert "You have stopped" in page and 'name="what"' not in page
    assert ConsentWithdrawal.objects.count() == 1
    with pytest.raises(Conflict):
        withdraws(alice, at + HOUR)


def test_only_the_person_themself_withdraws(alice, dana, stranger_patient, at):
    signs(alice, at)
    for by in (dana, stranger_patient):
        with pytest.raises(NotPermitted):
            actions.withdraw_consent(alice.patient, what="consent", by=by, at=at)
    with pytest.raises(Invalid):
        actions.withdraw_consent(alice.patient, what="everything", by=alice, at=at)
    with pytest.raises(Conflict):
        actions.withdraw_consent(stranger_patient.patient, what="consent", by=stranger_patient, at=at)
    assert not ConsentWithdrawal.objects.exists()


def test_who_has_stopped_is_not_pressed_to_sign_but_may_sign_again(alice, dana, at):
    an_accepted_intake(alice, dana, at)
    withdraws(alice, at + HOUR)
    assert access.signed_now(alice.patient, at + HOUR) == frozenset()
    assert actions.ask_for_new_signatures(at=at + HOUR) == 0
    from portal.home import for_patient

    shown = for_patient(alice, at=at + HOUR)
    assert "sign" not in " ".join(one.title for one in [shown["next"], *shown["others"]] if one)
    again = signs(alice, at + 2 * HOUR)
    alice.patient.refresh_from_db()
    assert {one.withdrawals_before for one in again} == {1}
    assert (
        access.consent_current(alice.patient, at + 2 * HOUR)
        and access.withdrawn_since_signing(alice.patient) is None
    )
    assert Consent.objects.filter(patient=alice.patient).count() == 4
    withdraws(alice, at + 3 * HOUR)
    assert not access.consent_current(alice.patient, at + 3 * HOUR)


def test_a_withdrawal_stays_as_given(alice, at):
    signs(alice, at)
    withdraws(alice, at)
    with pytest.raises(DatabaseError), transaction.atomic():
        ConsentWithdrawal.objects.all().delete()


# --- reading again, and the PDF ---


def words_of(pdf: bytes) -> str:
    """The text of a PDF without page feet, white space made one."""
    foot = re.compile(r"Page \d+|sha256 [0-9a-f]{64}|.*, version [\d-]{10}")
    kept = [
        line
        for page in PdfReader(io.BytesIO(pdf)).pages
        for line in page.extract_text().split("\n")
        if not foot.fullmatch(line.strip()) or line.startswith("Document:")
    ]
    return " ".join(" ".join(kept).split())


@pytest.mark.parametrize("number", [0, 1])
def test_the_pdf_is_exactly_the_stored_text_with_hash_and_signature(alice, at, number):
    signed = signs(alice, at)[number]
    found = Consent.objects.select_related("text").get(pk=signed.pk)
    pdf = consent_pdf(found)
    assert consent_pdf(found) == pdf, "the same stored text gives the same bytes"
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.metadata.title == read_document(found.text.body).title
    assert reader.trailer["/Root"]["/Lang"] == "en-US" and reader.outline
    said, stored = words_of(pdf), read_document(found.text.body)
    expected = []
    for block in stored.blocks:
        mark = {"ul": "• ", "tick": "☑ "}.get(block.kind, "")
        expected += [mark + line for line in block.text.split("\n")]
    assert said.startswith(" ".join(" ".join(expected).split()))
    tail = said[len(" ".join(" ".join(expected).split())) :]
    assert (
        found.sha256 in tail.replace(" ", "")
        and "Alice Lindqvist" in tail
        and f"{at:%Y-%m-%d %H:%M:%S} UTC" in tail
    )
    assert str(found.pk) in tail.replace(" ", "") and "Safari on iPhone" in tail


def test_a_name_is_only_ever_a_name_in_a_pdf(alice, at, monkeypatch):
    """HZ-21: no markup is read, nothing is fetched, and letters without a shape are spelled out."""
    import socket

    def refused(*_: object, **__: object) -> None:
        raise PermissionDenied("a PDF reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    name = 'Ana <img src="http://169.254.169.254/"> & **Bo** Łukasz 李'
    found = signs(alice, at, name=name)[0]
    said = words_of(consent_pdf(Consent.objects.select_related("text").get(pk=found.pk)))
    assert 'Ana <img src="http://169.254.169.254/"> & **Bo** Łukasz □' in said
    assert "U+674E" in said


def test_an_earlier_version_stays_readable_as_it_was(
    client_for, alice, at, admin_ann, admin_ben, monkeypatch, tmp_path
):
    first = signs(alice, at)[0]
    a_new_wording(monkeypatch, tmp_path, admin_ann, admin_ben, at)
    signs(alice, at)
    browser = client_for(alice)
    page = browser.get(f"/consents/{first.pk}/").content.decode()
    assert "Please read this slowly." in page and "very slowly" not in page and first.sha256 in page
    assert browser.get(f"/consents/{first.pk}/pdf/")["Content-Type"] == "application/pdf"


def test_who_reads_a_signature(
    client_for, alice, dana, cole, admin_ann, stranger_patient, other_psychiatrist, at
):
    """PR-02, HZ-05: the person and the psychiatrists who treat them; on the page and in print alike."""
    found = signs(alice, at)[0]
    for path in (f"/consents/{found.pk}/", f"/consents/{found.pk}/pdf/"):
        assert client_for(alice).get(path).status_code == 200
        assert client_for(dana).get(path).status_code == 200
        for person in (stranger_patient, other_psychiatrist, cole, admin_ann):
            assert client_for(person).get(path).status_code == 404, (person, path)
    assert AuditEntry.objects.filter(action="chart.opened", patient_id=alice.pk).exists()


def test_the_psychiatrist_sees_papers_and_what_is_missing(
    client_for, alice, dana, at, clock_at, query_budget
):
    an_accepted_intake(alice, dana, at)
    withdraws(alice, at + HOUR, note="I moved on <b>")
    with clock_at(at + HOUR):
        browser = client_for(dana)
        with query_budget(16):
            page = browser.get(f"/chart/{alice.pk}/papers/").content.decode()
    assert "Stopped by the patient" in page and "I moved on &lt;b&gt;" in page
