"""Pages about oneself: who I am, how I log in; and the door through which invited staff come in."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts import access, actions
from accounts.forms import PatientForm, PersonForm
from accounts.guards import by_link, for_role
from accounts.models import Role
from common import clock, intents

EVERYBODY = (Role.PATIENT, Role.PSYCHIATRIST, Role.COACH, Role.ADMINISTRATOR)
OF_PERSON = ("full_name", "phone", "time_zone", "language")
OF_PATIENT = ("state", "address", "emergency_contact_name", "emergency_contact_phone")


@for_role(*EVERYBODY)
@intents.guard
def profile(request: HttpRequest) -> HttpResponse:
    """Name, phone, zone; for patients also the state they are in, the address and whom to call."""
    user = request.user
    patient = access.patient_of(user) if user.role == Role.PATIENT else None
    kind = PatientForm if patient else PersonForm
    if request.method == "POST":
        form = kind(request.POST)
        if form.is_valid():
            at = clock.now()
            actions.update_person(
                user, by=user, at=at, **{name: form.cleaned_data[name] for name in OF_PERSON}
            )
            if patient:
                actions.update_patient(
                    patient, by=user, at=at, **{name: form.cleaned_data[name] for name in OF_PATIENT}
                )
            messages.success(request, "Saved.")
            return redirect("accounts:profile")
    else:
        initial = {name: getattr(user, name) for name in OF_PERSON}
        if patient:
            initial |= {name: getattr(patient, name) for name in OF_PATIENT}
        form = kind(initial=initial)
    return render(
        request,
        "public/profile.html",
        {"form": form, "patient": patient, "person": user, "intent": intents.mint()},
        status=422 if request.method == "POST" else 200,
    )


@for_role(*EVERYBODY)
def security(request: HttpRequest) -> HttpResponse:
    """How I log in: the second factor, passkeys and recovery codes that I have, and the way to each."""
    return render(
        request, "public/security.html", {"ways": access.ways_to_log_in(request.user), "person": request.user}
    )


@for_role(*EVERYBODY)
def second_step(request: HttpRequest) -> HttpResponse:
    """The choice of a first second factor; staff are brought here until they have one."""
    if is_mfa_enabled(request.user):
        return redirect("accounts:security")
    return render(request, "public/second_step.html", {"person": request.user})


@by_link
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """A new member of staff opens the link from their mail. The button, not the opening, uses it: mail scanners open links too."""
    user = access.invited(token)
    if request.method == "POST":
        actions.accept_invitation(user, at=clock.now())
        key = default_token_generator.make_token(user)
        return HttpResponseRedirect(
            reverse(
                "account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key}
            )
        )
    return render(request, "public/invitation.html", {"person": user})
