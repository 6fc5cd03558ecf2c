"""The letter of a decline: a sentence for each reason, read before it is signed, on the patient's page and nowhere else."""

import re

import pytest

from billing.models import Invoice
from intake.forms.review import OTHER_REASONS
from intake.letters import decline_letter, reason_sentence
from intake.models import Decision
from intake.wording import rule_texts
from notify.models import OutboxMessage
from tests.intake.builders import a_claimed_intake
from tests.intake.test_review_pages import now, post, read_then_sign, seen_of  # noqa: F401

TEXTS = rule_texts()


@pytest.mark.parametrize("reason", [*TEXTS, *(code for code, _ in OTHER_REASONS)])
def test_every_reason_that_can_be_chosen_has_a_sentence_for_the_patient(reason):
    sentence = reason_sentence(reason, TEXTS)
    assert sentence.endswith((".", "?")), reason
    letter = decline_letter(name="Ada", signer="Dana Reyes", reasons=[reason], texts=TEXTS)
    assert sentence in letter and letter.startswith("Dear Ada,") and letter.endswith("Dana Reyes")
    assert "988" in letter and "1-800-662-4357" in letter and "goes back to you" in letter
    assert "approved" not in letter.lower() and "FDA" not in letter


def test_a_letter_without_a_reason_asks_to_be_called():
    letter = decline_letter(name="", signer="Dana Reyes", reasons=[], texts=TEXTS)
    assert "Dear friend" in letter and "please call us" in letter and "\n- " not in letter


@pytest.mark.django_db
@pytest.mark.usefixtures("protocol_version", "now")
def test_the_letter_is_written_from_the_chosen_reasons_read_and_signed_in_just_these_words(
    client_for, dana, alice, at
):
    intake = a_claimed_intake(alice, dana, at, aneurysm="yes")
    client, address = client_for(dana), f"/chart/{intake.patient_id}/decide/decline/"
    shown = post(
        client, address, {"compose": "1", "reasons": ["needs_in_person"], "note": "kept", "letter": "x"}
    )
    text = shown.content.decode()
    assert shown.status_code == 200 and "see you in person" in text and "kept" in text
    assert TEXTS["E23"].patient not in text and not Decision.objects.exists()

    form = {
        "reasons": ["needs_in_person"],
        "note": "",
        "letter": "Dear Alice,\nnot now.",
        "seen": seen_of(intake.patient),
    }
    preview = post(client, address, form).content.decode()
    read = re.search(r'name="read" value="([0-9a-f]+)"', preview)[1]
    assert "As Alice Lindqvist will read it" in preview and "Dear Alice,\nnot now." in preview
    # Other words than those that were read are read first.
    assert post(client, address, form | {"letter": "Something else.", "read": read}).status_code == 200
    assert not Decision.objects.exists()
    assert post(client, address, form | {"read": read})["Location"] == "/queue/"
    assert Decision.objects.get().letter == "Dear Alice,\nnot now."


@pytest.mark.django_db
@pytest.mark.usefixtures("protocol_version", "now")
def test_the_letter_is_on_the_patients_page_and_in_no_message(client_for, dana, alice, at):
    intake = a_claimed_intake(alice, dana, at, aneurysm="yes")
    form = {
        "reasons": ["E23"],
        "note": "",
        "letter": "Dear Alice, a weak artery wall speaks against it.",
        "seen": seen_of(intake.patient),
    }
    read_then_sign(client_for(dana), f"/chart/{intake.patient_id}/decide/decline/", form)
    assert "weak artery wall" in client_for(alice).get("/intake/").content.decode()
    sent = OutboxMessage.objects.filter(recipient=alice)
    assert sent.exists() and not any("artery" in str(one.context) for one in sent)
    assert not Invoice.objects.filter(patient_id=alice.pk, state="open").exists()
