"""State rules in the administration: one person proposes, another approves, nothing approved changes."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from common import clock
from common.admin import PracticeAdmin
from common.errors import DomainError
from consults import actions
from consults.models import StateRule


class StateRuleForm(forms.ModelForm):
    """A decision on one state."""

    class Meta:
        model = StateRule
        fields = ("state", "rule", "reason")


@admin.register(StateRule)
class StateRuleAdmin(PracticeAdmin):
    """What one state allows, where the practice has decided otherwise than the shipped proposal. Unknown is blocked."""

    form = StateRuleForm
    list_display = ("state", "rule", "reason", "proposed_by", "proposed_at", "approved_by", "approved_at")
    list_filter = ("rule", "state")
    list_select_related = ("proposed_by", "approved_by")
    ordering = ("state", "-proposed_at", "-id")
    actions = ("approve",)  # type: ignore[assignment]

    def get_actions(self, request: HttpRequest) -> Any:
        return super(PracticeAdmin, self).get_actions(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: StateRule | None = None) -> Any:
        return self.list_display if obj else ()

    def save_model(self, request: HttpRequest, obj: StateRule, form: Any, change: bool) -> None:
        made = actions.propose_state_rule(
            state=obj.state, rule=obj.rule, reason=obj.reason, by=request.user, at=clock.now()
        )
        obj.pk = made.pk

    @admin.action(description="Approve: in force from now on", permissions=["view"])
    def approve(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            try:
                actions.approve_state_rule(row, by=request.user, at=clock.now())
            except DomainError as error:
                self.message_user(request, f"{row}: {error.detail}", level="error")
            else:
                self.message_user(request, f"{row}: in force.")
