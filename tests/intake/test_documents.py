"""Documents: taken in clean, kept encrypted, opened by the right people with a trace, never lost after they were read."""

import datetime as dt
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, IntegrityError, transaction

from common.errors import Conflict, Invalid, NotPermitted
from common.models import AuditEntry, StoredFile
from intake import access, actions
from intake.actions import documents as verbs
from intake.models import PatientDocument
from safety.models import Task
from tests.common.test_files import a_pdf, a_picture
from tests.intake.builders import an_accepted_intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
HOUR = dt.timedelta(hours=1)


def a_file(name: str = "letter.pdf", data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, a_pdf() if data is None else data)


def sends(user, at, *, kind: str = "specialist_letter", file=None, **more) -> PatientDocument:
    if file is None:
        file = a_file("id.jpg", a_picture()) if kind == "id_photo" else a_file()
    return actions.upload_document(user.patient, kind=kind, upload=file, by=user, at=at, **more)


def post(client, address="/documents/", *, intent=None, **fields):
    return client.post(address, {"intent": intent or str(uuid.uuid4()), **fields})


def test_a_document_is_sent_shown_and_opened_again(client_for, alice, at, clock_at):
    with clock_at(at):
        browser = client_for(alice)
        assert post(browser, kind="specialist_letter", file=a_file("Dr Gray.pdf")).status_code == 302
        page = browser.get("/documents/").content.decode()
        document = PatientDocument.objects.get()
        assert "Dr Gray.pdf" in page and f"/documents/{document.pk}/" in page
        answer = browser.get(f"/documents/{document.pk}/")
    assert answer["Content-Type"] == "application/pdf" and "attachment" in answer["Content-Disposition"]
    assert b"Dr Gray" not in bytes(StoredFile.objects.get().sealed)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("letter.pdf", b""),
        ("letter.pdf", b"MZ\x90\x00 this is a program"),
        ("photo.jpg", b"<svg onload=alert(1)>"),
        ("letter.docx", b"PK\x03\x04rest"),
        ("letter.pdf", b"%PDF-1.7 cut"),
    ],
)
def test_a_file_that_lies_or_is_broken_gets_a_sentence_and_the_rest_of_the_form_stays(
    client_for, alice, at, clock_at, name, data
):
    with clock_at(at):
        response = post(client_for(alice), kind="result", file=a_file(name, data))
    page = response.content.decode()
    assert response.status_code == 422 and 'id="id_file_error"' in page
    assert 'value="result" id="id_kind_2" checked' in page and "choose the file again" in page
    assert not PatientDocument.objects.exists() and not StoredFile.objects.exists()


@pytest.mark.parametrize("missing", ["kind", "file"])
def test_a_form_without_one_of_its_two_answers_says_which(client_for, alice, at, clock_at, missing):
    fields = {"kind": "other", "file": a_file()}
    del fields[missing]
    with clock_at(at):
        response = post(client_for(alice), **fields)
    assert response.status_code == 422 and "field__error" in response.content.decode()
    assert not StoredFile.objects.exists()


def test_a_photo_of_an_id_is_a_picture(alice, at):
    with pytest.raises(Invalid):
        sends(alice, at, kind="id_photo", file=a_file())


def test_a_replayed_upload_is_one_document(client_for, alice, at, clock_at):
    """PR-09."""
    intent = str(uuid.uuid4())
    with clock_at(at):
        browser = client_for(alice)
        for _ in range(3):
            assert post(browser, intent=intent, kind="other", file=a_file()).status_code == 302
    assert PatientDocument.objects.count() == StoredFile.objects.count() == 1


def test_who_opens_a_document(
    client_for, alice, dana, cole, admin_ann, stranger_patient, other_psychiatrist, client, at, clock_at
):
    """PR-02, HZ-05: patient and treating psychiatrist; no coach, administrator, stranger or visitor, and not by guessing."""
    found = sends(alice, at)
    address = f"/documents/{found.pk}/"
    with clock_at(at):
        assert client_for(alice).get(address).status_code == 200
        assert client_for(dana).get(address).status_code == 200
        for person in (cole, admin_ann, stranger_patient, other_psychiatrist):
            assert client_for(person).get(address).status_code == 404, person
        assert client.get(address).status_code == 302
        assert client_for(alice).get(f"/documents/{uuid.uuid4()}/").status_code == 404


def test_a_photo_of_an_id_asks_the_psychiatrist_for_a_fresh_second_factor(
    client_for, alice, dana, at, clock_at
):
    """PR-11."""
    found = sends(alice, at, kind="id_photo")
    with clock_at(at):
        browser = client_for(dana)
        session = browser.session
        for one in session["account_authentication_methods"]:
            one["at"] -= 600
        session.save()
        answer = browser.get(f"/documents/{found.pk}/")
        assert answer.status_code == 302 and "/accounts/" in answer["Location"]
        assert PatientDocument.objects.get().reviewed_at is None
        assert client_for(dana).get(f"/documents/{found.pk}/").status_code == 200


def test_reading_leaves_a_trace_each_time_and_names_the_first_reader(alice, dana, at):
    """PR-12."""
    found = sends(alice, at)
    for hour in (1, 2):
        actions.read_document(found, by=dana, at=at + hour * HOUR)
    found.refresh_from_db()
    assert (found.reviewed_by_id, found.reviewed_at) == (dana.pk, at + HOUR)
    assert AuditEntry.objects.filter(action="document.read", patient_id=alice.pk).count() == 2


def test_the_patient_opening_their_own_is_no_review(client_for, alice, at, clock_at):
    found = sends(alice, at)
    with clock_at(at):
        client_for(alice).get(f"/documents/{found.pk}/")
    found.refresh_from_db()
    assert found.reviewed_at is None


def test_what_nobody_has_read_can_be_taken_back_bytes_and_all(client_for, alice, at, clock_at):
    found = sends(alice, at)
    with clock_at(at):
        browser = client_for(alice)
        assert post(browser, f"/documents/{found.pk}/remove/").status_code == 302
        assert browser.get(f"/documents/{found.pk}/").status_code == 404
    assert not StoredFile.objects.exists() and access.documents_of(alice.patient) == []
    found.refresh_from_db()
    assert (found.removed_at, found.name) == (at, "")


def test_what_was_read_stays(client_for, alice, dana, at, clock_at):
    found = sends(alice, at)
    actions.read_document(found, by=dana, at=at)
    with pytest.raises(Conflict):
        actions.remove_document(found, by=alice, at=at)
    with clock_at(at):
        browser = client_for(alice)
        assert post(browser, f"/documents/{found.pk}/remove/").status_code == 409
        assert "remove/" not in browser.get("/documents/").content.decode()
    with pytest.raises(IntegrityError), transaction.atomic():
        PatientDocument.objects.filter(pk=found.pk).update(file=None, removed_at=at)
    with pytest.raises(DatabaseError), transaction.atomic():
        StoredFile.objects.all().delete()


def test_nobody_takes_back_what_is_not_theirs(client_for, alice, dana, stranger_patient, at, clock_at):
    found = sends(alice, at)
    for by in (stranger_patient, dana):
        with pytest.raises(NotPermitted):
            actions.remove_document(found, by=by, at=at)
    with clock_at(at):
        assert post(client_for(stranger_patient), f"/documents/{found.pk}/remove/").status_code == 404
    assert StoredFile.objects.count() == 1


def test_a_newer_photo_of_an_id_supersedes_the_older_one_which_stays(alice, at):
    first = sends(alice, at, kind="id_photo")
    second = sends(alice, at + HOUR, kind="id_photo")
    first.refresh_from_db()
    assert (first.superseded_by_id, first.superseded_at) == (second.pk, at + HOUR)
    assert StoredFile.objects.count() == 2
    third = sends(alice, at + 2 * HOUR, file=a_file("again.pdf"), replaces=sends(alice, at))
    assert PatientDocument.objects.filter(superseded_by=third).count() == 1


def test_a_document_of_somebody_else_cannot_be_replaced_or_answered_with(alice, stranger_patient, at):
    hers = sends(alice, at)
    with pytest.raises(Invalid):
        sends(stranger_patient, at, replaces=hers)
    with pytest.raises(NotPermitted):
        actions.upload_document(alice.patient, kind="other", upload=a_file(), by=stranger_patient, at=at)


def test_a_paper_sent_from_home_during_care_is_a_task_of_the_psychiatrist_until_it_is_read(alice, dana, at):
    an_accepted_intake(alice, dana, at)
    found = sends(alice, at + HOUR)
    task = Task.objects.get(kind="document_to_read")
    assert (task.owner_id, task.about_id, task.done_at) == (dana.pk, found.pk, None)
    actions.read_document(found, by=dana, at=at + 2 * HOUR)
    task.refresh_from_db()
    assert task.done_at == at + 2 * HOUR


def test_a_folder_has_an_end(alice, at, monkeypatch):
    """TM-13: pinned on both sides."""
    monkeypatch.setattr(verbs, "MOST_DOCUMENTS", 2)
    sends(alice, at)
    second = sends(alice, at)
    with pytest.raises(Invalid, match="2 documents already"):
        sends(alice, at)
    actions.remove_document(second, by=alice, at=at)
    sends(alice, at)


def test_the_page_costs_no_more_for_many_documents(client_for, alice, at, clock_at, query_budget):
    for _ in range(6):
        sends(alice, at)
    with clock_at(at):
        browser = client_for(alice)
        with query_budget(14):
            assert browser.get("/documents/").status_code == 200
