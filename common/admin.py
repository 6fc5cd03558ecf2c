"""What every page of the administration shares: who may open it, what is read-only, what a read leaves behind; and common's own."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from common import audit, clock, protocol
from common.errors import Conflict, DomainError
from common.models import AuditEntry, ClientIntent, ProtocolVersion, StateEvent

ADMINISTRATOR = "administrator"
LONGEST_LIST = 1000


class ShortPaginator(Paginator):
    """Counts no further than the newest thousand: a list of ten million rows opens as fast as one of ten.

    Whoever looks for an older row narrows the list with a filter or a search.
    """

    @property
    def count(self) -> int:  # type: ignore[override]
        if not hasattr(self, "_count"):
            newest = self.object_list[:LONGEST_LIST]
            self._count = newest.count() if isinstance(newest, QuerySet) else len(list(newest))
        return self._count


class PracticeAdmin(ModelAdmin):
    """Closed by default: administrators by role, nobody by Django's own permissions; nothing is deleted here."""

    paginator = ShortPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    actions = ()
    # True: opening a row, or the list, is reading about people, and leaves a trace.
    is_about_people = False

    def _allowed(self, request: HttpRequest) -> bool:
        return getattr(request.user, "role", "") == ADMINISTRATOR

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._allowed(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allowed(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allowed(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allowed(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> Any:
        return {}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Row and trace in one transaction (the admin's change view is atomic)."""
        super().save_model(request, obj, form, change)
        audit.record(
            f"admin.{self.opts.model_name}.{'changed' if change else 'added'}",
            by=request.user,
            at=clock.now(),
            about=obj,
            detail={"fields": sorted(form.changed_data)},
        )

    # The trail below replaces Django's own log of the admin, which anybody with the database could edit.
    def log_addition(self, *args: Any, **kwargs: Any) -> None: ...

    def log_change(self, *args: Any, **kwargs: Any) -> None: ...

    def log_deletions(self, *args: Any, **kwargs: Any) -> None: ...

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if self.is_about_people and request.method == "GET":
            audit.record("admin.read", by=request.user, at=clock.now(), **self._read_about(object_id))
        return super().change_view(request, object_id, form_url, extra_context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.is_about_people and request.method == "GET":
            audit.record(
                "admin.list_read", by=request.user, at=clock.now(), detail={"list": self.opts.label_lower}
            )
        return super().changelist_view(request, extra_context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The history of a row is its audit trail."""
        return HttpResponseRedirect(f"{reverse('admin:common_auditentry_changelist')}?object_id={object_id}")

    def _read_about(self, object_id: str) -> dict[str, Any]:
        obj = (
            self.model._base_manager.filter(pk=object_id).first() if _is_key(self.model, object_id) else None
        )
        return {"about": obj, "patient_id": getattr(obj, "patient_id", None)}


def _is_key(model: Any, value: str) -> bool:
    try:
        model._meta.pk.to_python(value)
    except Exception:
        return False
    return True


class HistoryAdmin(PracticeAdmin):
    """Rows that stay as they were written: looked at, never added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ExactFilter(admin.SimpleListFilter):
    """`?object_id=…`: keeps an exact value that came from a link, without offering a list of values."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [(value, value)] if value else []

    def has_output(self) -> bool:
        return bool(self.value())


def exact_filter(field: str, label: str, *, is_uuid: bool = False) -> type[ExactFilter]:
    """An ExactFilter for one column."""

    def queryset(self: ExactFilter, request: HttpRequest, rows: Any) -> Any:
        value = self.value()
        if not value:
            return rows
        column = rows.model._meta.get_field(field)
        try:
            column.to_python(value)
        except Exception:
            return rows.none()
        return rows.filter(**{field: value})

    return type(
        f"Exact{field.title().replace('_', '')}",
        (ExactFilter,),
        {"title": label, "parameter_name": field, "queryset": queryset},
    )


def short(text: str) -> str:
    """An id by its first eight characters, the whole of it on pointing."""
    kind, _, rest = text.rpartition(":")
    words = f"{kind}:{rest[:8]}" if kind else rest[:8]
    return format_html('<span class="whitespace-nowrap" title="{}">{}</span>', text, words) if text else ""


@admin.register(AuditEntry)
class AuditEntryAdmin(HistoryAdmin):
    """The trail: who, what, about whom, why. `manage.py verify_audit` proves that no row was changed."""

    list_display = ("at", "who", "action", "about", "patient", "reason")
    list_filter = (
        exact_filter("object_id", "object"),
        exact_filter("patient_id", "patient"),
        exact_filter("actor", "actor"),
    )
    search_fields = ("=actor", "=action", "=object_id")
    search_help_text = "An exact actor (user:…), action (chart.opened) or object id"
    ordering = ("-at", "-id")
    fields = (
        "at",
        "actor",
        "action",
        "object_type",
        "object_id",
        "patient_id",
        "reason",
        "detail",
        "shard",
        "seq",
        "prev_hash",
        "row_hash",
    )

    @admin.display(description="who")
    def who(self, row: AuditEntry) -> str:
        return short(row.actor)

    @admin.display(description="about")
    def about(self, row: AuditEntry) -> str:
        return format_html("{} {}", row.object_type, short(row.object_id)) if row.object_type else ""

    @admin.display(description="patient")
    def patient(self, row: AuditEntry) -> str:
        return short(str(row.patient_id or ""))


@admin.register(StateEvent)
class StateEventAdmin(HistoryAdmin):
    list_display = ("at", "object_type", "object_id", "source", "target", "by")
    list_filter = ("object_type", exact_filter("object_id", "object"))
    ordering = ("-id",)


@admin.register(ClientIntent)
class ClientIntentAdmin(HistoryAdmin):
    """What people meant to do once. The result is somebody's page and stays sealed."""

    list_display = ("created_at", "actor", "status", "result_url")
    list_filter = (exact_filter("actor", "actor"),)
    fields = ("actor", "key", "body_hash", "created_at", "status", "result_url")
    ordering = ("-id",)


def flat(data: Any, prefix: str = "") -> dict[str, Any]:
    """A nested document as path -> value, so that two versions can be laid beside each other."""
    if isinstance(data, dict):
        found: dict[str, Any] = {}
        for key, value in data.items():
            found.update(flat(value, f"{prefix}.{key}" if prefix else str(key)))
        return found
    if isinstance(data, list) and any(isinstance(item, dict) for item in data):
        found = {}
        for index, item in enumerate(data):
            name = item.get("id") or item.get("code") or item.get("kind") if isinstance(item, dict) else None
            found.update(flat(item, f"{prefix}[{name or index}]"))
        return found
    return {prefix: data}


def differences(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """(path, old, new) of everything that differs, in order of path."""
    before, after = flat(old), flat(new)
    missing = object()
    rows = []
    for key in sorted(before.keys() | after.keys()):
        was, becomes = before.get(key, missing), after.get(key, missing)
        if was != becomes:
            rows.append(
                (
                    key,
                    "(not there)" if was is missing else was,
                    "(taken out)" if becomes is missing else becomes,
                )
            )
    return rows


class ProtocolForm(forms.ModelForm):
    """A proposed version; one whose parts contradict each other comes back with what differs."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        data = cleaned.get("data")
        if isinstance(data, dict):
            if found := protocol.disagreements(data):
                self.add_error("data", f"Two parts contradict each other: {'; '.join(found)}.")
            for sentence in protocol.troubles(data):
                self.add_error("data", sentence)
        return cleaned


@admin.register(ProtocolVersion)
class ProtocolVersionAdmin(PracticeAdmin):
    """The numbers in force. One administrator proposes, another one reads the difference and approves (HZ-28)."""

    list_display = (
        "version",
        "state",
        "proposed_by",
        "proposed_at",
        "approved_by",
        "approved_at",
        "effective_from",
    )
    list_filter = ("state",)
    ordering = ("-proposed_at", "-id")
    fields = (
        "version",
        "state",
        "note",
        "proposed_by",
        "proposed_at",
        "approved_by",
        "approved_at",
        "effective_from",
        "data",
    )
    form = ProtocolForm
    change_form_outer_before_template = "admin/protocol_actions.html"

    def get_fields(self, request: HttpRequest, obj: ProtocolVersion | None = None) -> Sequence[Any]:
        return self.fields if obj else ("version", "note", "data")

    def get_readonly_fields(self, request: HttpRequest, obj: ProtocolVersion | None = None) -> Sequence[Any]:
        return self.fields if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A proposal starts from what is in force, so that nothing approved is undone unsaid; the first one from the files."""
        try:
            return {"data": protocol.current(at=clock.now()).data}
        except Conflict:
            return {"data": protocol.from_files()}

    def save_model(self, request: HttpRequest, obj: ProtocolVersion, form: Any, change: bool) -> None:
        draft = protocol.propose(
            version=obj.version, data=obj.data, note=obj.note, by=request.user, at=clock.now()
        )
        obj.pk = draft.pk

    def get_urls(self) -> list[Any]:
        review = path(
            "<uuid:pk>/review/",
            self.admin_site.admin_view(self.review_view),
            name="common_protocolversion_review",
        )
        return [review, *super().get_urls()]

    def review_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Old and new numbers beside each other, and the second person's signature."""
        draft = self.get_object(request, str(pk))
        if draft is None or not self.has_view_permission(request):
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
        at = clock.now()
        try:
            current: ProtocolVersion | None = protocol.current(at=at)
        except DomainError:
            current = None
        own = draft.proposed_by_id == request.user.pk
        if request.method == "POST":
            try:
                protocol.approve(draft, by=request.user, at=at)
            except DomainError as error:
                self.message_user(request, error.detail, level="error")
            else:
                self.message_user(
                    request,
                    f"{draft.version} is in force. Running courses keep the version they began under.",
                )
            return HttpResponseRedirect(reverse("admin:common_protocolversion_change", args=[draft.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Review {draft.version}",
            "draft": draft,
            "current": current,
            "rows": differences(current.data if current else {}, draft.data),
            "own": own,
            "can_approve": draft.state == "draft" and not own,
        }
        return TemplateResponse(request, "admin/protocol_review.html", context)
