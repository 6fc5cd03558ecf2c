"""The crisis lane watches the ordinary one: when messages or checks stop, a person hears of it."""

from datetime import datetime

from django.db import transaction

from safety.models import Alert

SILENT = "P04"


def ordinary_lane_fell_silent(lane: str, *, beat_at: datetime | None, at: datetime) -> Alert | None:
    """Call the administrators because `lane` (`ordinary`, `sweeps` or `bulk`) has done nothing since `beat_at` (None: ever).

    Once per stretch of silence: asked again it answers None, also after somebody closed the alert. Another stretch while the
    alert of the first is still open is a new sign of it, and pages afresh.
    """
    from safety.actions.alerts import raise_alert

    code = f"{lane}_silent_since_{beat_at:%Y%m%dT%H%M%SZ}" if beat_at is not None else f"{lane}_never_ran"
    with transaction.atomic():
        if Alert.objects.filter(trigger=SILENT, detail_codes__contains=[code]).exists():
            return None
        return raise_alert(
            patient=None, trigger=SILENT, source="pager", at=at, by="system:pager", detail_codes=[code]
        )
