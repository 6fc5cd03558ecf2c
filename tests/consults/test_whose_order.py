"""An order is written for one patient and signed by one kind of person: whatever is crossed is refused, and nothing is written."""

import datetime as dt
import re
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import CareTeam, Patient, User
from common import hooks
from common.errors import NotPermitted, NotVisible, StaleVersion
from common.models import AuditEntry
from consults import access, actions
from consults.models import Order, VisitNote
from tests.consults.builders import (
    a_booked_consult,
    a_pdmp_check,
    a_signed_note,
    a_signed_order,
    a_verified_identity,
)
from tests.consults.test_orders import DAY, HOUR, drafted, fields
from tests.consults.test_pages import order_fields, seen, send, text_of
from tests.intake.builders import an_accepted_intake

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(at: dt.datetime, protocol_version: Any, monkeypatch: pytest.MonkeyPatch, clock_at: Any) -> Any:
    monkeypatch.setitem(hooks._hooks, "order.signed", [])
    with clock_at(at):
        yield


def ready_for_an_order(user: User, dana: User, at: dt.datetime) -> Patient:
    an_accepted_intake(user, dana, at - 5 * DAY)
    a_verified_identity(user, dana, at - DAY)
    a_signed_note(user, dana, at - DAY)
    a_pdmp_check(user, dana, at - HOUR)
    return Patient.objects.select_related("user").get(pk=user.pk)


@pytest.fixture
def hers(alice: User, dana: User, at: dt.datetime) -> Patient:
    return ready_for_an_order(alice, dana, at)


@pytest.fixture
def theirs(stranger_patient: User, dana: User, at: dt.datetime) -> Patient:
    """Another patient of the same psychiatrist, as ready as Alice is."""
    CareTeam.objects.filter(pk=stranger_patient.pk).update(psychiatrist=dana)
    Patient.objects.filter(pk=stranger_patient.pk).update(state="CA")
    return ready_for_an_order(stranger_patient, dana, at - HOUR)


def what_is_written() -> tuple[Any, ...]:
    orders = Order.objects.order_by("pk").values_list(
        "pk", "patient_id", "dose_ug", "directions", "signed_at"
    )
    return (
        list(orders),
        AuditEntry.objects.filter(action__startswith="order.").count(),
    )


def test_the_form_names_whom_it_was_opened_for(hers: Patient, dana: User, client_for: Any) -> None:
    page = text_of(client_for(dana).get(reverse("consults:order_new", args=[hers.pk])))
    assert re.search(rf'name="patient" value="{hers.pk}"', page)


@pytest.mark.parametrize("named", ["the other", "nobody", "nonsense"])
def test_hz_05_a_new_order_sent_to_another_patients_address_is_refused(
    named: str, hers: Patient, theirs: Patient, dana: User, at: dt.datetime, client_for: Any
) -> None:
    """Two windows, one crossed address: nothing is kept for either, and no word typed for one is shown on the other's page."""
    before = what_is_written()
    patient = {"the other": str(hers.pk), "nobody": "", "nonsense": "x" * 40}[named]
    answer = send(
        client_for(dana),
        "order_new",
        theirs.pk,
        **order_fields(at, patient=patient, directions="For Alice alone."),
    )
    assert answer.status_code == 409
    assert "opened for somebody else" in text_of(answer) and "For Alice alone." not in text_of(answer)
    assert what_is_written() == before


def test_hz_05_a_draft_is_not_overwritten_by_the_form_of_another_patient(
    hers: Patient, theirs: Patient, dana: User, at: dt.datetime, client_for: Any
) -> None:
    drafted(hers, dana, at)
    other = drafted(theirs, dana, at)
    before = what_is_written()
    doctor = client_for(dana)
    answer = send(
        doctor, "order_edit", other.pk, **order_fields(at, patient=str(hers.pk), units_per_dose="2")
    )
    assert answer.status_code == 409
    assert what_is_written() == before


def test_hz_05_a_signature_given_to_one_draft_signs_no_other(
    hers: Patient, theirs: Patient, dana: User, at: dt.datetime, client_for: Any
) -> None:
    """The same medicine for two people, word for word: what was read for one is not what is signed for the other."""
    one, other = drafted(hers, dana, at), drafted(theirs, dana, at)
    assert send(client_for(dana), "order_review", other.pk, seen=seen(one)).status_code == 409
    with pytest.raises(StaleVersion):
        actions.sign_order(other, seen=seen(one), by=dana, at=at)
    assert not Order.objects.filter(signed_at__isnull=False).exists()


def test_hz_05_a_draft_is_never_saved_under_another_patient(
    hers: Patient, theirs: Patient, dana: User, at: dt.datetime
) -> None:
    draft = drafted(hers, dana, at)
    before = what_is_written()
    with pytest.raises(NotVisible):
        actions.save_draft(theirs, fields=fields(at, units_per_dose=2), by=dana, at=at, draft=draft)
    earlier = a_signed_order(hers.user, dana, at - 2 * DAY)
    with pytest.raises(NotVisible):
        actions.save_draft(theirs, fields=fields(at), by=dana, at=at, supersedes=earlier)
    assert what_is_written()[1] == before[1]
    assert Order.objects.filter(patient=theirs).count() == 0


def test_hz_05_somebody_elses_patient_is_not_even_there(
    hers: Patient, stranger_patient: User, dana: User, at: dt.datetime, client_for: Any
) -> None:
    doctor = client_for(dana)
    before = what_is_written()
    for patient in (str(stranger_patient.pk), str(hers.pk)):
        assert (
            send(doctor, "order_new", stranger_patient.pk, **order_fields(at, patient=patient)).status_code
            == 404
        )
    assert what_is_written() == before


# --- an administrator, superuser or not ---


@pytest.fixture(params=[True, False], ids=["superuser", "plain"])
def administrator(request: Any, admin_ann: User) -> User:
    User.objects.filter(pk=admin_ann.pk).update(is_superuser=request.param)
    return User.objects.get(pk=admin_ann.pk)


def test_no_administrator_drafts_or_signs_an_order(
    hers: Patient, dana: User, administrator: User, at: dt.datetime, client_for: Any
) -> None:
    draft = drafted(hers, dana, at)
    before = what_is_written()
    browser = client_for(administrator)
    assert send(browser, "order_new", hers.pk, **order_fields(at)).status_code == 404
    assert send(browser, "order_edit", draft.pk, **order_fields(at, units_per_dose="2")).status_code == 404
    assert send(browser, "order_review", draft.pk, seen=seen(draft)).status_code == 404
    with pytest.raises(NotVisible):
        drafted(hers, administrator, at)
    with pytest.raises((NotVisible, NotPermitted)):
        actions.sign_order(draft, seen=access.digest_of(draft), by=administrator, at=at)
    assert what_is_written() == before
    # Not even one whose own name stands on the draft.
    Order.objects.filter(pk=draft.pk).update(prescriber=administrator)
    assert send(browser, "order_review", draft.pk, seen=seen(draft)).status_code == 404
    with pytest.raises((NotVisible, NotPermitted)):
        actions.sign_order(Order.objects.get(pk=draft.pk), seen=seen(draft), by=administrator, at=at)
    assert not Order.objects.filter(signed_at__isnull=False).exists()


def test_no_administrator_writes_or_signs_a_note(
    alice: User, dana: User, administrator: User, at: dt.datetime, client_for: Any
) -> None:
    visit = a_booked_consult(alice, dana, at)
    note = actions.open_note(visit, by=dana, at=at)
    browser = client_for(administrator)
    for name in ("sign_note", "visit", "autosave"):
        assert send(browser, name, visit.pk, version="0", history="I was not there.").status_code == 404
    with pytest.raises(NotPermitted):
        actions.sign_note(note, by=administrator, at=at)
    # Not even one whose own name stands on it.
    VisitNote.objects.filter(pk=note.pk).update(author=administrator)
    with pytest.raises(NotPermitted):
        actions.sign_note(VisitNote.objects.get(pk=note.pk), by=administrator, at=at)
    assert send(browser, "sign_note", visit.pk).status_code == 404
    kept = VisitNote.objects.get(pk=note.pk)
    assert (kept.signed_at, kept.signed_by_id, kept.version) == (None, None, note.version)
