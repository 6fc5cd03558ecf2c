"""The ninth section of the intake: who somebody is, by a photo of an ID or on video."""

import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from common.errors import Conflict
from intake import actions
from intake.models import Intake, PatientDocument
from intake.rules.steps import intake_steps
from tests.common.test_files import a_pdf, a_picture
from tests.intake.builders import a_claimed_intake, a_draft, a_filled_intake, a_submitted_intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("protocol_version")]
PAGE = "/intake/identity/"
NINE = (
    "About you", "Your health", "Your medicines", "Mood and safety", "Alcohol and drugs", "Your home and sitter",
    "Blood pressure", "Identity", "Consent",
)  # fmt: skip


def post(client, address=PAGE, **fields):
    return client.post(address, {"intent": str(uuid.uuid4()), **fields})


def photo(data: bytes | None = None, name: str = "my id.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, a_picture() if data is None else data)


def is_left(user) -> bool:
    return "identity" in actions.steps_left(Intake.objects.get(patient_id=user.pk))


@pytest.fixture
def browser(client_for, alice, at, clock_at):
    a_draft(alice, at)
    with clock_at(at):
        yield client_for(alice)


def test_the_task_list_has_nine_sections_in_order(browser):
    assert tuple(dict.fromkeys(step.group for step in intake_steps())) == NINE
    text = browser.get("/intake/").content.decode()
    places = [text.index(f"<h2>{title}</h2>") for title in NINE]
    assert places == sorted(places) and PAGE in text


def test_a_photo_of_an_id_answers_the_step_and_taking_it_back_opens_it_again(browser, alice):
    assert is_left(alice)
    response = post(browser, file=photo())
    assert response.status_code == 302 and response["Location"] != PAGE
    found = PatientDocument.objects.get()
    assert (found.kind, found.superseded_at, is_left(alice)) == ("id_photo", None, False)
    assert f"/documents/{found.pk}/" in browser.get(PAGE).content.decode()
    assert post(browser, f"/documents/{found.pk}/remove/").status_code == 302
    assert is_left(alice)


def test_an_older_photo_that_was_replaced_leaves_the_step_alone(browser, alice):
    for _ in range(2):
        post(browser, file=photo())
    old = PatientDocument.objects.get(superseded_at__isnull=False)
    post(browser, f"/documents/{old.pk}/remove/")
    assert not is_left(alice)


def test_an_id_on_video_answers_it_too(browser, alice):
    assert post(browser, how="visit").status_code == 302
    assert not is_left(alice) and not PatientDocument.objects.exists()
    assert "at the first visit" in browser.get(PAGE).content.decode()


@pytest.mark.parametrize(
    "file", [None, photo(b""), photo(a_pdf(), "id.pdf"), photo(b"<svg onload=alert(1)>", "id.jpg")],
    ids=["none", "empty", "a PDF", "a lie"],
)  # fmt: skip
def test_anything_but_a_photo_gets_a_sentence_and_the_step_stays_open(browser, alice, file):
    response = post(browser, **({"file": file} if file else {}))
    assert response.status_code == 422 and 'id="id_file_error"' in response.content.decode()
    assert is_left(alice) and not PatientDocument.objects.exists()


def test_a_photo_sent_on_the_page_of_documents_counts_and_so_does_one_from_before(
    client_for, alice, at, clock_at
):
    with clock_at(at):
        client = client_for(alice)
        post(client, "/documents/", kind="id_photo", file=photo())
        a_draft(alice, at)
        assert not is_left(alice)


def test_without_the_step_nothing_is_sent_and_a_psychiatrist_can_ask_for_it_again(alice, dana, at):
    a_filled_intake(alice, at)
    assert actions.steps_left(Intake.objects.get()) == []
    intake = a_claimed_intake(alice, dana, at)
    actions.decide(
        intake, "ask_more", by=dana, at=at + timedelta(minutes=20), items=["identity"], letter="A sharper photo, please."
    )  # fmt: skip
    assert actions.steps_left(Intake.objects.get()) == ["identity"]


def test_after_sending_the_page_leads_to_the_documents_and_changes_nothing(client_for, alice, at, clock_at):
    intake = a_submitted_intake(alice, at)
    with clock_at(at + timedelta(hours=1)):
        client = client_for(alice)
        assert client.get(PAGE)["Location"] == "/documents/"
        assert post(client, how="visit")["Location"] == "/documents/"
    with pytest.raises(Conflict):
        actions.identity_at_visit(intake, by=alice, at=at + timedelta(hours=1))
