"""People as administrators see them: accounts, roles by two persons, licences, care teams. Nothing clinical."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import actions
from accounts.forms import PhoneField, zone_choices
from accounts.models import (
    STAFF_ROLES,
    STATES,
    CareTeam,
    CredentialRequest,
    DeaRegistration,
    DeviceToken,
    Licence,
    Patient,
    Role,
    RoleGrant,
    User,
)
from common import clock
from common.admin import HistoryAdmin, PracticeAdmin
from common.errors import DomainError

STATE_CHOICES = [("", "Choose"), *((code, code) for code in STATES)]
STAFF_CHOICES = [(value, label) for value, label in Role.choices if value in STAFF_ROLES]


class InviteForm(forms.ModelForm):
    """A new member of staff. The account sleeps until a second administrator approves the role; then the invitation goes."""

    email = forms.EmailField(widget=UnfoldAdminEmailInputWidget)
    full_name = forms.CharField(max_length=120, widget=UnfoldAdminTextInputWidget)
    role = forms.ChoiceField(choices=STAFF_CHOICES, widget=UnfoldAdminSelectWidget)
    time_zone = forms.ChoiceField(choices=zone_choices, widget=UnfoldAdminSelectWidget)
    phone = PhoneField(widget=UnfoldAdminTextInputWidget, help_text="Pages ring here.")
    reason = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="For the second administrator and the trail.",
    )

    class Meta:
        model = User
        fields = ("email", "full_name", "role", "time_zone", "phone")

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(
                "Somebody has an account with this address. Ask for a role for that account instead."
            )
        return email


class PersonChangeForm(forms.ModelForm):
    """Name, zone, phone, and whether the account is open."""

    time_zone = forms.ChoiceField(choices=zone_choices, widget=UnfoldAdminSelectWidget)
    phone = PhoneField(required=False, widget=UnfoldAdminTextInputWidget)
    successor = forms.ModelChoiceField(
        queryset=User.objects.none(),
        required=False,
        label="Takes over on call",
        widget=UnfoldAdminSelectWidget,
        help_text="When the account closes: who gets this person's on-call shifts and the alerts they have taken.",
    )

    class Meta:
        model = User
        fields = ("full_name", "time_zone", "phone", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        successor = self.fields["successor"]
        assert isinstance(successor, forms.ModelChoiceField)
        people = User.objects.filter(is_active=True, role__in=[Role.PSYCHIATRIST, Role.COACH])
        successor.queryset = people.exclude(pk=self.instance.pk).order_by("full_name")


@admin.register(User)
class UserAdmin(PracticeAdmin):
    """Accounts. The role is changed by a request and a second administrator, never here (TM-16)."""

    list_display = ("email", "full_name", "role", "is_active", "time_zone", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("email", "full_name")
    ordering = ("email",)
    is_about_people = True
    change_form_outer_before_template = "admin/user_actions.html"

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = PersonChangeForm if obj else InviteForm
        kwargs["fields"] = None
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("email", "full_name", "role", "time_zone", "phone", "reason")})]
        return [
            (
                None,
                {"fields": ("email", "role", "full_name", "time_zone", "phone", "is_active", "successor")},
            ),
            ("Dates", {"fields": ("created_at", "last_login")}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return ("email", "role", "created_at", "last_login") if obj else ()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        at, data = clock.now(), form.cleaned_data
        if not change:
            grant = actions.invite_staff(
                by=request.user,
                at=at,
                **{
                    name: data[name]
                    for name in ("email", "full_name", "role", "time_zone", "phone", "reason")
                },
            )
            obj.pk = grant.user_id
            messages.info(
                request, "The invitation goes out when a second administrator has approved the role."
            )
            return
        fresh = actions.update_person(
            obj,
            full_name=data["full_name"],
            time_zone=data["time_zone"],
            phone=data["phone"],
            by=request.user,
            at=at,
        )
        if data["is_active"] != fresh.is_active:
            actions.set_active(
                obj, active=data["is_active"], by=request.user, at=at, successor=data.get("successor")
            )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """No related rows; `form.save_m2m` would want an object that this form did not save."""

    def get_urls(self) -> list[Any]:
        invite = path(
            "<uuid:pk>/invite-again/",
            self.admin_site.admin_view(self.invite_again),
            name="accounts_user_invite",
        )
        return [invite, *super().get_urls()]

    def invite_again(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """A fresh invitation for somebody who has not chosen a password yet."""
        back = HttpResponseRedirect(reverse("admin:accounts_user_change", args=[pk]))
        user = self.get_object(request, str(pk))
        if request.method == "POST" and user is not None and self.has_change_permission(request):
            if user.is_active and not user.has_usable_password():
                actions.send_invitation(user, by=request.user, at=clock.now())
                self.message_user(request, f"A new invitation is on its way to {user.email}.")
            else:
                self.message_user(
                    request,
                    "This person has chosen a password already, or is not approved yet.",
                    level="error",
                )
        return back


class RoleForm(forms.ModelForm):
    class Meta:
        model = RoleGrant
        fields = ("user", "role", "reason")


@admin.register(RoleGrant)
class RoleGrantAdmin(PracticeAdmin):
    """Roles asked for: the second administrator decides here."""

    list_display = (
        "user",
        "role",
        "reason",
        "requested_by",
        "requested_at",
        "decided_by",
        "decided_at",
        "approved",
    )
    list_filter = ("approved",)
    list_select_related = ("user", "requested_by", "decided_by")
    ordering = ("-requested_at", "-id")
    autocomplete_fields = ("user",)
    form = RoleForm
    change_form_outer_before_template = "admin/role_actions.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: RoleGrant | None = None) -> tuple[str, ...]:
        asked = ("user", "role", "reason")
        return (
            (*asked, "requested_by", "requested_at", "decided_by", "decided_at", "approved") if obj else asked
        )

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        return form.save(commit=False)

    def save_model(self, request: HttpRequest, obj: RoleGrant, form: Any, change: bool) -> None:
        grant = actions.propose_role(
            obj.user, role=obj.role, reason=obj.reason, by=request.user, at=clock.now()
        )
        obj.pk = grant.pk

    def get_urls(self) -> list[Any]:
        decide = path(
            "<uuid:pk>/decide/", self.admin_site.admin_view(self.decide), name="accounts_rolegrant_decide"
        )
        return [decide, *super().get_urls()]

    def decide(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The page with the two buttons; only somebody else than who asked gets them."""
        grant = self.get_object(request, str(pk))
        if grant is None or not self.has_view_permission(request):
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
        if request.method == "POST":
            try:
                actions.decide_role(
                    grant, approve=request.POST.get("answer") == "approve", by=request.user, at=clock.now()
                )
            except DomainError as error:
                self.message_user(request, error.detail, level="error")
            else:
                self.message_user(
                    request,
                    "Decided. Somebody new has their invitation now." if grant.approved else "Refused.",
                )
            return HttpResponseRedirect(reverse("admin:accounts_rolegrant_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{grant.get_role_display()} for {grant.user}",
            "grant": grant,
            "may_decide": grant.decided_at is None
            and request.user.pk not in (grant.requested_by_id, grant.user_id),
        }
        return TemplateResponse(request, "admin/role_decide.html", context)


@admin.register(Patient)
class PatientAdmin(HistoryAdmin):
    """Who is in care: name, state, whether identity was verified. No birth date, address, answers or scores."""

    list_display = ("user", "state", "verified", "is_synthetic")
    list_filter = ("state", "is_synthetic")
    search_fields = ("user__email", "user__full_name")
    list_select_related = ("user",)
    fields = ("user", "state", "identity_verified_at", "identity_verified_by", "is_synthetic")
    ordering = ("user__email",)
    is_about_people = True

    @admin.display(description="Identity verified", boolean=True)
    def verified(self, obj: Patient) -> bool:
        return obj.identity_verified_at is not None

    def _read_about(self, object_id: str) -> dict[str, Any]:
        about = super()._read_about(object_id)
        return about | {"patient_id": getattr(about["about"], "pk", None)}


class CareTeamForm(forms.ModelForm):
    """Only people of the role can be chosen for it."""

    class Meta:
        model = CareTeam
        fields = ("psychiatrist", "coach")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("psychiatrist", "coach"):
            self.fields[name].queryset = User.objects.filter(role=name, is_active=True).order_by("full_name")  # type: ignore[attr-defined]


@admin.register(CareTeam)
class CareTeamAdmin(PracticeAdmin):
    """Who cares for whom. Assignment opens a chart, so each change is in the trail."""

    list_display = ("patient", "psychiatrist", "coach")
    list_select_related = ("patient__user", "psychiatrist", "coach")
    search_fields = ("patient__user__email", "patient__user__full_name")
    list_filter = (
        ("psychiatrist", admin.RelatedOnlyFieldListFilter),
        ("coach", admin.RelatedOnlyFieldListFilter),
    )
    fields = ("patient", "psychiatrist", "coach")
    readonly_fields = ("patient",)
    ordering = ("patient__user__email",)
    form = CareTeamForm
    is_about_people = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: CareTeam, form: Any, change: bool) -> None:
        actions.assign_care_team(
            obj.patient, psychiatrist=obj.psychiatrist, coach=obj.coach, by=request.user, at=clock.now()
        )


class _Credential(HistoryAdmin):
    """What is in force. A new one, or another date, is a request that a second administrator approves (TM-16)."""

    list_filter = ("state", ("psychiatrist", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("psychiatrist",)
    search_fields = ("number", "psychiatrist__full_name")
    ordering = ("expires_on", "id")

    @admin.display(description="In force", boolean=True)
    def in_force(self, obj: Any) -> bool:
        return bool(obj.expires_on >= clock.now().date())


@admin.register(Licence)
class LicenceAdmin(_Credential):
    list_display = ("psychiatrist", "state", "number", "issued_on", "expires_on", "in_force")
    fields = ("psychiatrist", "state", "number", "issued_on", "expires_on")


@admin.register(DeaRegistration)
class DeaRegistrationAdmin(_Credential):
    list_display = ("psychiatrist", "state", "number", "expires_on", "in_force")
    fields = ("psychiatrist", "state", "number", "expires_on")


class CredentialForm(forms.ModelForm):
    """A licence or DEA registration as it stands on the document."""

    state = forms.ChoiceField(choices=STATE_CHOICES, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = CredentialRequest
        fields = ("kind", "psychiatrist", "state", "number", "issued_on", "expires_on")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "psychiatrist" in self.fields:
            holder = self.fields["psychiatrist"]
            assert isinstance(holder, forms.ModelChoiceField)
            holder.queryset = User.objects.filter(role=Role.PSYCHIATRIST).order_by("full_name")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        number = data.get("number", "")
        if data.get("kind") == "dea" and not actions.DEA_NUMBER.fullmatch(number.strip().upper()):
            self.add_error("number", "A DEA number is two letters and seven figures.")
        return data


@admin.register(CredentialRequest)
class CredentialRequestAdmin(PracticeAdmin):
    """Licences and DEA registrations entered: the second administrator decides here."""

    list_display = (
        "psychiatrist", "kind", "state", "number", "expires_on", "requested_by", "requested_at", "decided_by", "approved",
    )  # fmt: skip
    list_filter = ("approved", "kind", "state")
    list_select_related = ("psychiatrist", "requested_by", "decided_by")
    ordering = ("-requested_at", "-id")
    form = CredentialForm
    change_form_outer_before_template = "admin/credential_actions.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: CredentialRequest | None = None) -> tuple[str, ...]:
        asked = ("kind", "psychiatrist", "state", "number", "issued_on", "expires_on")
        return (
            (*asked, "requested_by", "requested_at", "decided_by", "decided_at", "approved") if obj else asked
        )

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        return form.save(commit=False)

    def save_model(self, request: HttpRequest, obj: CredentialRequest, form: Any, change: bool) -> None:
        row = actions.propose_credential(by=request.user, at=clock.now(), **form.cleaned_data)
        obj.pk = row.pk
        messages.info(request, "It counts when a second administrator has approved it.")

    def get_urls(self) -> list[Any]:
        decide = path(
            "<uuid:pk>/decide/",
            self.admin_site.admin_view(self.decide),
            name="accounts_credentialrequest_decide",
        )
        return [decide, *super().get_urls()]

    def decide(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The page with the two buttons; only somebody else than who entered it gets them."""
        row = self.get_object(request, str(pk))
        if row is None or not self.has_view_permission(request):
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pk))
        if request.method == "POST":
            try:
                done = actions.decide_credential(
                    row, approve=request.POST.get("answer") == "approve", by=request.user, at=clock.now()
                )
            except DomainError as error:
                self.message_user(request, error.detail, level="error")
            else:
                self.message_user(request, "Approved: it is in force." if done.approved else "Refused.")
            return HttpResponseRedirect(reverse("admin:accounts_credentialrequest_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(row),
            "row": row,
            "may_decide": row.decided_at is None
            and request.user.pk not in (row.requested_by_id, row.psychiatrist_id),
        }
        return TemplateResponse(request, "admin/credential_decide.html", context)


@admin.register(DeviceToken)
class DeviceTokenAdmin(HistoryAdmin):
    """Keys of devices; only their digests exist, and not even those are shown."""

    list_display = ("user", "label", "scopes", "created_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    fields = ("user", "label", "scopes", "created_at", "expires_at", "revoked_at")
    ordering = ("-created_at", "-id")
