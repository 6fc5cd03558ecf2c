"""Two conversations with the care team: one answered, with a photo; one that waits for an answer."""

import datetime as dt
import io

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw

from accounts.models import Patient, User
from coaching import message_access as access
from coaching import message_actions as messages
from common import clock
from portal.demo.cast import Cast

HOUR = dt.timedelta(hours=1)


def _patient(user: User) -> Patient:
    return Patient.objects.select_related("user", "care_team__coach", "care_team__psychiatrist").get(
        pk=user.pk
    )


def a_photo() -> SimpleUploadedFile:
    """A monitor's display, drawn."""
    picture = Image.new("RGB", (640, 420), (226, 232, 228))
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((60, 50, 580, 370), 24, fill=(190, 204, 196), outline=(70, 84, 80), width=6)
    for line, text in enumerate(("SYS 128", "DIA  82", "PUL  71")):
        pen.text((150, 80 + 90 * line), text, fill=(24, 36, 40), font_size=64)
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return SimpleUploadedFile("monitor.jpg", out.getvalue(), content_type="image/jpeg")


def answered(cast: Cast, user: User) -> None:
    """Yesterday: which number goes where, with a photo; the coach answered, and the patient has read it."""
    patient = _patient(user)
    at = cast.now - 26 * HOUR
    with clock.frozen(at):
        thread = messages.open_thread(
            patient,
            topic="session",
            body=cast.words(
                "Message.body", "Which of the three numbers on my monitor do I type, and in which order?"
            ),
            uploads=[a_photo()],
            by=user,
            at=at,
        ).thread
    helper = access.answerer_of(thread, at=at)
    for by, hours in ((helper, 3), (user, 20)):
        then = at + hours * HOUR
        with clock.frozen(then):
            messages.mark_read(thread, access.messages_page(thread).rows, by=by, at=then)
            if by == helper:
                messages.write(
                    thread,
                    body=cast.words(
                        "Message.body", "The upper one first: 128, then 82. The third is your pulse: 71."
                    ),
                    by=helper,
                    at=then,
                )


def waiting(cast: Cast, user: User) -> None:
    """Two hours ago: a question that stands on the coach's list with its time."""
    at = cast.now - 2 * HOUR
    with clock.frozen(at):
        messages.open_thread(
            _patient(user),
            topic="scheduling",
            body=cast.words(
                "Message.body", "Could my next session begin an hour later? My sitter works until nine."
            ),
            by=user,
            at=at,
        )
