"""A psychiatrist ends a course early: with a reason, for the chart and in words for the patient."""

from datetime import datetime

from django.db import transaction

from accounts.models import Role, User
from common.errors import Conflict, Invalid, NotPermitted
from notify.actions import promise
from safety.actions import place_hold
from sessions import states
from sessions.actions.course import stop_course
from sessions.actions.shared import lock_patient
from sessions.models import Course, CourseStop, DosingSession
from sessions.wording import STOP_REASONS


def stop_by_psychiatrist(
    course: Course, *, reason: str, note: str, words: str, by: User, at: datetime
) -> CourseStop:
    """End the course for a reason that is kept. The edge has asked for the second factor.

    Raises NotPermitted for anybody but this person's psychiatrist, Invalid by field, Conflict when it has ended already. A dose
    that is released and not taken is held; a watch that goes on is finished by its own rule.
    """
    if by.role != Role.PSYCHIATRIST or course.patient.care_team.psychiatrist_id != by.pk:
        raise NotPermitted("Only this person’s psychiatrist ends the course.")
    fields = {}
    if reason not in STOP_REASONS:
        fields["reason"] = "Choose a reason."
    if len(note.strip()) < 10:
        fields["note"] = "Write why, in a sentence: the chart keeps it."
    if len(words.strip()) < 10:
        fields["words"] = "Write a few kind sentences: the patient reads them."
    if fields:
        raise Invalid(" ".join(fields.values()), fields=fields)
    with transaction.atomic():
        patient = lock_patient(course.patient_id)
        course.refresh_from_db()
        if course.state not in states.COURSE_OPEN:
            raise Conflict("This course has ended already. Reload the page.", code="course_over")
        if DosingSession.objects.filter(course=course, state=states.READY).exists():
            place_hold(patient, reason_code=reason, at=at, by=by)
        stop_course(course, by=by, at=at, reason=reason)
        kept = CourseStop.objects.create(
            course=course, reason=reason, note=note.strip(), words=words.strip(), by=by, stopped_at=at
        )
        promise(
            "course_news", to=patient.user, channel="email", due_at=at, at=at, about=course, patient=patient,
            dedupe_key=f"course_news:{kept.pk}",
        )  # fmt: skip
    return kept
