"""Refunds and providers' news as administrators see them: looked at here; what is sent is sent by itself."""

from django.contrib import admin

from billing.models import Refund, WebhookEvent
from common.admin import HistoryAdmin


@admin.register(Refund)
class RefundAdmin(HistoryAdmin):
    """Where a refund stands: how often it was tried and what the provider said."""

    list_display = ("created_at", "state", "amount_cents", "reason", "attempts", "due_at", "last_error")
    list_filter = ("state", "reason")
    fields = (
        "state", "amount_cents", "reason", "requested_by", "created_at", "due_at", "attempts", "last_error", "settled_at",
        "provider_refund_id",
    )  # fmt: skip
    ordering = ("-created_at", "-id")
    is_about_people = True


@admin.register(WebhookEvent)
class WebhookEventAdmin(HistoryAdmin):
    """What a provider told us and whether it was worked off; its content stays closed."""

    list_display = ("received_at", "provider", "kind", "processed_at", "outcome", "attempts")
    list_filter = ("provider", ("processed_at", admin.EmptyFieldListFilter))
    fields = ("provider", "event_id", "kind", "received_at", "processed_at", "outcome", "attempts")
    ordering = ("-received_at", "-id")
