"""The rules in the administration: each of the 71 with its source and hit rate, a change proposed, and its dry run (HZ-28)."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from common import clock, protocol
from common.admin import HistoryAdmin
from common.errors import DomainError
from common.models import ProtocolVersion
from intake import access, actions
from intake.models import DryRun, RuleCount
from intake.rules import Outcome
from intake.wording import number_name

OUTCOMES = [
    (str(Outcome.EXCLUDE), "Excludes"),
    (str(Outcome.REVIEW), "Needs review"),
    (str(Outcome.OK), "Informs"),
]


class RuleChangeForm(forms.Form):
    """What may be changed of one rule: its numbers, its severity, its words."""

    outcome = forms.ChoiceField(label="When it is true", choices=OUTCOMES)
    patient = forms.CharField(
        label="Words for the patient", max_length=600, widget=forms.Textarea(attrs={"rows": 3})
    )
    clinician = forms.CharField(
        label="Words for the clinician", max_length=600, widget=forms.Textarea(attrs={"rows": 3})
    )
    version = forms.CharField(label="Name of the new version", max_length=60)
    note = forms.CharField(
        label="Why, and from which source",
        max_length=2_000,
        min_length=10,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, thresholds: dict[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.numbers = list(thresholds)
        for name, value in thresholds.items():
            words = number_name(name)
            label = words[0].upper() + words[1:]
            said = f"{label}: write a number from 0 to 10,000."
            self.fields[name] = forms.FloatField(
                label=label,
                initial=f"{value:g}",
                min_value=0,
                max_value=10_000,
                error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), said),
            )
        self.order_fields([*self.numbers, "outcome", "patient", "clinician", "version", "note"])

    def change(self) -> dict[str, Any]:
        """As the action takes it."""
        data = self.cleaned_data
        return {
            "outcome": data["outcome"],
            "patient": data["patient"],
            "clinician": data["clinician"],
            "thresholds": {name: data[name] for name in self.numbers},
        }


@admin.register(RuleCount)
class RuleAdmin(HistoryAdmin):
    """All rules of the version in force. A change is a draft of the whole protocol, which somebody else approves."""

    def get_urls(self) -> list[Any]:
        one = path("rule/<slug:rule_id>/", self.admin_site.admin_view(self.rule_view), name="intake_rule")
        return [one, *super().get_urls()]

    def _version(self) -> ProtocolVersion | None:
        try:
            return protocol.current(at=clock.now())
        except DomainError:
            return None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self._version()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Eligibility rules",
            "version": version,
            "rows": access.rule_rows(version) if version else [],
        }
        return TemplateResponse(request, "admin/intake_rules.html", context)

    def rule_view(self, request: HttpRequest, rule_id: str) -> HttpResponse:
        """One rule: what it reads, where it comes from, how often it was true; and the form that proposes a change."""
        version = self._version()
        row = access.rule_row(version, rule_id) if version and self.has_view_permission(request) else None
        if row is None or version is None:
            raise Http404
        initial = {"outcome": row.text.outcome, "patient": row.text.patient, "clinician": row.text.clinician}
        form = RuleChangeForm(request.POST or None, initial=initial, thresholds=row.thresholds)
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                _, run = actions.propose_rule_change(
                    rule_id,
                    form.change(),
                    version=data["version"],
                    note=data["note"],
                    by=request.user,
                    at=clock.now(),  # type: ignore[arg-type]
                )
            except DomainError as error:
                for name, text in (getattr(error, "fields", None) or {None: error.detail}).items():
                    form.add_error(name if name in form.fields else None, text)
            else:
                self.message_user(
                    request, f"{data['version']} is proposed. Another administrator reads and approves it."
                )
                return HttpResponseRedirect(reverse("admin:intake_dryrun_change", args=[run.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{rule_id} {row.text.criterion}",
            "row": row,
            "version": version,
            "counts": access.counts_of_rule(rule_id),
            "form": form,
        }
        status = 422 if form.is_bound else 200
        return TemplateResponse(request, "admin/intake_rule.html", context, status=status)


@admin.register(DryRun)
class DryRunAdmin(HistoryAdmin):
    """Drafts laid over past intakes: who would have been answered otherwise. Numbers of intakes and rules, no names."""

    list_display = (
        "draft",
        "base",
        "asked_by",
        "asked_at",
        "looked",
        "changed",
        "stricter",
        "milder",
        "finished_at",
    )
    ordering = ("-asked_at",)
    list_select_related = ("draft", "base", "asked_by")

    def get_urls(self) -> list[Any]:
        begin = path(
            "of/<uuid:draft_id>/", self.admin_site.admin_view(self.begin_view), name="intake_dryrun_of"
        )
        return [begin, *super().get_urls()]

    def begin_view(self, request: HttpRequest, draft_id: uuid.UUID) -> HttpResponse:
        """The newest dry run of a draft; a POST begins another."""
        draft = (
            ProtocolVersion.objects.filter(pk=draft_id).first() if self.has_view_permission(request) else None
        )
        if draft is None:
            raise Http404
        run = access.newest_dry_run(draft)
        if request.method == "POST":
            try:
                run = actions.start_dry_run(draft, by=request.user, at=clock.now())  # type: ignore[arg-type]
            except DomainError as error:
                self.message_user(request, error.detail, level="error")
        if run is not None:
            return HttpResponseRedirect(reverse("admin:intake_dryrun_change", args=[run.pk]))
        return self._page(request, draft, None)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            run = access.dry_run(uuid.UUID(object_id)) if self.has_view_permission(request) else None
        except ValueError:
            run = None
        if run is None:
            raise Http404
        return self._page(request, run.draft, run)

    def _page(self, request: HttpRequest, draft: ProtocolVersion, run: DryRun | None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Dry run of {draft.version}",
            "draft": draft,
            "run": run,
            "cases": access.cases_of(run) if run else [],
        }
        return TemplateResponse(request, "admin/intake_dry_run.html", context)
