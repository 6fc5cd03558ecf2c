"""A course with its four sessions, written straight into the tables; check-ins are planned by the action under test."""

import datetime as dt
import io

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.models import Patient, User
from sessions.models import Course, DosingSession
from tests.consults.builders import a_signed_order


def a_course(patient: User, psychiatrist: User, at: dt.datetime, *, first_in_days: int = 7) -> Course:
    """An active course whose first session is `first_in_days` after `at`, at the same hour, then weekly."""
    order = a_signed_order(patient, psychiatrist, at, first_in_days=first_in_days)
    course = Course.objects.create(
        patient=Patient.objects.get(pk=patient.pk), order=order, protocol=order.protocol, started_at=at
    )
    for number in range(1, 5):
        DosingSession.objects.create(
            course=course,
            patient=course.patient,
            number=number,
            scheduled_at=at + dt.timedelta(days=first_in_days + 7 * (number - 1)),
        )
    return course


def the_dose_was_taken(course: Course, number: int, at: dt.datetime) -> DosingSession:
    """The session really happened at `at`, as far as what follows from it is concerned."""
    DosingSession.objects.filter(course=course, number=number).update(dose_at=at)
    return DosingSession.objects.get(course=course, number=number)


def a_photo(name: str = "monitor.jpg") -> SimpleUploadedFile:
    """A small photograph, as a browser sends it."""
    out = io.BytesIO()
    Image.new("RGB", (320, 200), (200, 120, 40)).save(out, "JPEG")
    return SimpleUploadedFile(name, out.getvalue(), content_type="image/jpeg")
