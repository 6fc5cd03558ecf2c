"""Which sessions of a course were late or went on without a sitter: more than the protocol allows is a sign of misuse (8.3, X22)."""

import uuid
from datetime import datetime, timedelta

from common.models import StateEvent
from safety.models import Alert
from sessions import states
from sessions.models import Checkpoint, Course, DosingSession

# What nobody did in time though the protocol asks for it; the morning after and the end by rule say nothing about either.
AWAITED = (
    Checkpoint.Kind.SITTER,
    Checkpoint.Kind.T40,
    Checkpoint.Kind.T65,
    Checkpoint.Kind.T120,
    Checkpoint.Kind.RECHECK,
)
# Of X16, what says that nobody was there any more; the other codes are about the person who took the medicine.
SITTER_WENT = ("sitter_cannot_stay", "sitter_gone")


def late_or_alone(course: Course, *, at: datetime) -> frozenset[uuid.UUID]:
    """Those of its sessions with a dose. Each counts once, whatever came together in it.

    Late: its day went by before it was held, the medicine was taken after the release had lapsed, or a reading was missing so
    long that somebody was called (X19). Alone: a sitter's look was missing (X16), or somebody said that the sitter had gone.
    """
    held = list(
        DosingSession.objects.filter(course=course, dose_at__isnull=False).select_related(
            "release", "course__protocol"
        )
    )
    ids = [session.pk for session in held]
    missing = Checkpoint.objects.filter(session__in=ids, kind__in=AWAITED, ladder_step__gte=1)
    put_off = StateEvent.objects.filter(
        object_type=DosingSession._meta.label_lower, object_id__in=ids, target=states.MISSED
    )
    found = {*missing.values_list("session_id", flat=True), *put_off.values_list("object_id", flat=True)}
    return frozenset(
        {
            *found,
            *(
                one.pk
                for one in held
                if one.pk not in found and (_taken_late(one) or _sitter_went(one, at=at))
            ),
        }
    )


def _taken_late(session: DosingSession) -> bool:
    release = getattr(session, "release", None)
    if release is None or session.dose_at is None:
        return False
    valid = timedelta(minutes=session.course.protocol.data["gate"]["release_valid_minutes"])
    return session.dose_at - release.released_at > valid


def _sitter_went(session: DosingSession, *, at: datetime) -> bool:
    codes = Alert.objects.filter(
        patient_id=session.patient_id, trigger="X16", opened_at__gte=session.dose_at, opened_at__lte=session.released_at or at
    ).values_list("detail_codes", flat=True)  # fmt: skip
    return any(code in SITTER_WENT for found in codes for code in found)
