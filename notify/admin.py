"""Messages as administrators see them: the outbox (never words or addresses), the practice's own words, and who is alive."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.models import LANGUAGES
from common import clock
from common.admin import HistoryAdmin, PracticeAdmin, exact_filter
from common.errors import DomainError, Invalid
from notify.actions.words import (
    WORDED_CHANNELS,
    default_source,
    names_for,
    restore_default,
    try_words,
    worded,
    write_words,
)
from notify.models import Heartbeat, MessageWording, OutboxMessage, ProviderEvent


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


class WordingForm(forms.ModelForm):
    """Own words for one message. They are put together with a sample before they are kept; an empty text restores the file's."""

    template = forms.ChoiceField(
        label="Message",
        choices=lambda: [(t, t.replace("_", " ")) for t in sorted({t for t, _ in worded()})],
        widget=UnfoldAdminSelectWidget,
    )
    channel = forms.ChoiceField(choices=[(c, c) for c in WORDED_CHANNELS], widget=UnfoldAdminSelectWidget)
    language = forms.ChoiceField(choices=LANGUAGES, widget=UnfoldAdminSelectWidget)
    subject = forms.CharField(
        required=False, max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Mail only"
    )
    body = forms.CharField(
        label="Words",
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="Names stand in {{ double braces }}. Empty: the words of the file come back.",
    )
    note = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Why, for whoever reads this later",
    )

    class Meta:
        model = MessageWording
        fields = ("template", "channel", "language", "subject", "body", "note")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        if not data.get("body", "").strip():
            key = {name: data[name] for name in ("template", "channel", "language")}
            if not MessageWording.objects.filter(**key, replaced_at__isnull=True).exclude(body="").exists():
                self.add_error("body", "Write the words. The words of the file are in force already.")
            return data
        try:
            try_words(**{name: data[name] for name in ("template", "channel", "language", "subject", "body")})
        except Invalid as error:
            for field, sentence in error.fields.items():
                self.add_error(field if field in self.fields else None, sentence)
        return data

    def _post_clean(self) -> None:
        """The action writes the row, so the model's own check of one that is not whole yet says nothing."""


@admin.register(MessageWording)
class MessageWordingAdmin(PracticeAdmin):
    """Own words, newest first. A change is a new version; no version is ever rewritten."""

    form = WordingForm
    list_display = (
        "template",
        "channel",
        "language",
        "version",
        "in_force",
        "written_by",
        "written_at",
        "note",
    )
    list_filter = (
        exact_filter("template", "message"),
        exact_filter("channel", "channel"),
        exact_filter("language", "language"),
    )
    ordering = ("-written_at", "-version")
    fields = ("template", "channel", "language", "subject", "body", "note")
    readonly = (
        "template",
        "channel",
        "language",
        "version",
        "subject",
        "body",
        "note",
        "written_by",
        "written_at",
        "replaced_at",
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: MessageWording | None = None) -> Any:
        return self.readonly if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: MessageWording | None = None) -> Any:
        return self.readonly if obj else ()

    @admin.display(boolean=True, description="in force")
    def in_force(self, row: MessageWording) -> bool:
        return row.replaced_at is None and bool(row.body)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begins with the words that go now."""
        key = {name: request.GET.get(name, "") for name in ("template", "channel", "language")}
        if (key["template"], key["channel"]) not in worded() or key["language"] not in dict(LANGUAGES):
            return {}
        now = MessageWording.objects.filter(**key, replaced_at__isnull=True).exclude(body="").first()
        if now is not None:
            return {**key, "subject": now.subject, "body": now.body}
        subject = (
            default_source(key["template"], "subject", key["language"]) if key["channel"] == "email" else ""
        )
        return {
            **key,
            "subject": subject.strip(),
            "body": default_source(key["template"], key["channel"], key["language"]),
        }

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        template = request.GET.get("template", "")
        if obj is None and any(template == t for t, _ in worded()):
            known = ", ".join(sorted(names_for(template)))
            form.base_fields[
                "body"
            ].help_text = f"This message knows: {known}. Names stand in {{{{ double braces }}}}. Empty: the words of the file come back."
        return form

    def save_model(self, request: HttpRequest, obj: MessageWording, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in ("template", "channel", "language", "note")}
        try:
            if form.cleaned_data["body"].strip():
                row = write_words(
                    **given, subject=form.cleaned_data["subject"], body=form.cleaned_data["body"],
                    by=request.user, at=clock.now(),
                )  # fmt: skip
            else:
                row = restore_default(**given, by=request.user, at=clock.now())
        except DomainError as error:
            self.message_user(request, error.detail, level="error")
            raise
        obj.pk = row.pk
