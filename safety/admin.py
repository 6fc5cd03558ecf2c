"""Alerts, holds and the roster as administrators see them: looked at here, worked on at /alerts/. No notes of clinicians."""

from django.contrib import admin

from common.admin import HistoryAdmin, exact_filter
from safety.models import Alert, OnCallShift, SafetyHold


@admin.register(Alert)
class AlertAdmin(HistoryAdmin):
    """What was raised, who took it and when. The person's words and the closing note stay with clinicians."""

    list_display = (
        "opened_at",
        "trigger",
        "severity",
        "state",
        "level",
        "acknowledged_by",
        "acknowledged_at",
        "closed_at",
        "disposition",
    )
    list_filter = ("state", "severity", "is_synthetic", exact_filter("patient_id", "patient"))
    list_select_related = ("acknowledged_by",)
    fields = (
        "trigger", "severity", "state", "level", "pages", "signs", "in_session", "is_synthetic", "opened_at", "acknowledge_by_at",
        "acknowledged_at", "acknowledged_by", "closed_at", "closed_by", "disposition",
    )  # fmt: skip
    ordering = ("-opened_at", "-id")
    is_about_people = True


@admin.register(SafetyHold)
class SafetyHoldAdmin(HistoryAdmin):
    list_display = ("placed_at", "reason_code", "placed_by", "cleared_at", "cleared_by")
    list_filter = (("cleared_at", admin.EmptyFieldListFilter),)
    list_select_related = ("cleared_by",)
    fields = ("reason_code", "placed_at", "placed_by", "cleared_at", "cleared_by")
    ordering = ("-placed_at", "-id")
    is_about_people = True


@admin.register(OnCallShift)
class OnCallShiftAdmin(HistoryAdmin):
    """The roster; shifts are put in and taken out on the roster page, where gaps are shown."""

    list_display = ("starts_at", "ends_at", "level", "person", "removed_at", "created_by")
    list_filter = ("level", ("removed_at", admin.EmptyFieldListFilter))
    list_select_related = ("person", "created_by")
    ordering = ("-starts_at", "-id")
