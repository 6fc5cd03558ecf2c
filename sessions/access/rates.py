"""How many doses were given: the denominator beside every count of adverse events."""

from datetime import datetime

from django.db.models import Count

from sessions.models import DosingSession


def doses_given(*, since: datetime, until: datetime) -> tuple[int, int]:
    """Hook `doses.given`: sessions with a dose in that time, and the people who had one. Synthetic people are not counted."""
    rows = DosingSession.objects.filter(
        dose_at__gte=since, dose_at__lt=until, patient__is_synthetic=False
    ).aggregate(sessions=Count("pk"), people=Count("patient", distinct=True))
    return rows["sessions"], rows["people"]
