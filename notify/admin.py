"""The outbox as administrators see it: what, by which channel, when, with what trouble. Never the words or the address."""

from django.contrib import admin

from common.admin import HistoryAdmin, exact_filter
from notify.models import Heartbeat, OutboxMessage, ProviderEvent


@admin.register(OutboxMessage)
class OutboxMessageAdmin(HistoryAdmin):
    """Failed messages are sent again from the outbox page."""

    list_display = (
        "created_at",
        "lane",
        "kind",
        "channel",
        "state",
        "due_at",
        "sent_at",
        "attempts",
        "last_error",
    )
    list_filter = ("state", "lane", "channel", exact_filter("kind", "kind"))
    fields = (
        "lane", "kind", "channel", "state", "wanted_at", "due_at", "expires_at", "respect_quiet_hours", "attempts", "provider_id",
        "provider_status", "dedupe_key", "about_type", "about_id", "created_at", "sent_at", "last_error",
    )  # fmt: skip
    ordering = ("-created_at", "-id")
    is_about_people = True


@admin.register(ProviderEvent)
class ProviderEventAdmin(HistoryAdmin):
    list_display = ("received_at", "provider", "status", "sid")
    ordering = ("-id",)


@admin.register(Heartbeat)
class HeartbeatAdmin(HistoryAdmin):
    list_display = ("name", "lane", "at")
    ordering = ("-at", "name")
