"""A person's own page about messages: quiet hours, what to get by which way, and the devices that may be told."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.guards import for_role, public
from accounts.models import Role
from common import clock, intents
from common.errors import Invalid
from notify import access
from notify.actions.push import forget_device, keep_device
from notify.actions.wishes import kinds_for, set_wishes
from notify.rules import QUIET_FROM, QUIET_UNTIL
from notify.wording import CHANNEL_WORDS

EVERYBODY = (Role.PATIENT, Role.PSYCHIATRIST, Role.COACH, Role.ADMINISTRATOR)


class QuietHoursForm(forms.Form):
    """From when until when nothing but what cannot wait comes."""

    quiet_from = forms.TimeField(
        label="Quiet from",
        widget=forms.TimeInput(attrs={"type": "time", "data-width": "medium"}),
        input_formats=["%H:%M"],
    )
    quiet_until = forms.TimeField(
        label="until",
        widget=forms.TimeInput(attrs={"type": "time", "data-width": "medium"}),
        input_formats=["%H:%M"],
    )


def _grid(user: Any, muted: set[str]) -> list[dict[str, Any]]:
    """One row for each message: per channel, whether it is offered, chosen, and theirs to choose."""
    rows = []
    for kind in kinds_for(user):
        rule = kind.get("may_turn_off", "none")
        offered = access.offered_channels(kind)
        rows.append(
            {
                "kind": kind["kind"],
                "label": kind.get("label", kind["kind"]),
                "always": rule == "none",
                "ways": [
                    {
                        "channel": channel,
                        "word": CHANNEL_WORDS[channel],
                        "offered": channel in offered,
                        "fixed": rule == "none" and channel != "push",
                        "chosen": f"{kind['kind']}:{channel}" not in muted,
                    }
                    for channel in ("sms", "email", "push")
                ],
            }
        )
    return rows


@for_role(*EVERYBODY)
@intents.guard
def wishes(request: HttpRequest) -> HttpResponse:
    """When messages may come, and which, by which way."""
    user, at = request.user, clock.now()
    kept = access.wish_of(user)
    wrong: dict[str, str] = {}
    if request.method == "POST":
        form = QuietHoursForm(request.POST)
        offered = {
            f"{k['kind']}:{channel}" for k in kinds_for(user) for channel in access.offered_channels(k)
        }
        muted = offered - set(request.POST.getlist("want"))
        if form.is_valid():
            try:
                set_wishes(user, muted=muted, by=user, at=at, **form.cleaned_data)
            except Invalid as error:
                wrong = dict(error.fields)
                for name in ("quiet_from", "quiet_until"):
                    if name in wrong:
                        form.add_error(name, wrong.pop(name))
            else:
                messages.success(request, "Saved.")
                return redirect("notify:wishes")
    else:
        form = QuietHoursForm(
            initial={
                "quiet_from": kept.quiet_from if kept else QUIET_FROM,
                "quiet_until": kept.quiet_until if kept else QUIET_UNTIL,
            }
        )
        muted = set(kept.muted) if kept else set()
    return render(
        request,
        "public/wishes.html",
        {
            "form": form,
            "wrong": list(wrong.values()),
            "grid": _grid(user, muted),
            "devices": access.devices_of_person(user),
            "push_key": settings.VAPID_PUBLIC_KEY if settings.VAPID_PRIVATE_KEY else "",
            "opted_out": access.number_has_opted_out(user.phone),
            "intent": intents.mint(),
            "mint": intents.mint,
        },
        status=422 if request.method == "POST" else 200,
    )


@for_role(*EVERYBODY)
@require_POST
@intents.guard
def device_add(request: HttpRequest) -> HttpResponse:
    """This browser wants to be told. The script on the page fills the form."""
    given = {name: request.POST.get(name, "") for name in ("endpoint", "p256dh", "auth")}
    try:
        keep_device(request.user, label=request.POST.get("label", ""), at=clock.now(), **given)
    except Invalid as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "This device is told from now on.")
    return redirect("notify:wishes")


@for_role(*EVERYBODY)
@require_POST
@intents.guard
def device_remove(request: HttpRequest, device_id: uuid.UUID) -> HttpResponse:
    """Take a device back."""
    forget_device(request.user, device_id, by=request.user, at=clock.now())
    messages.success(request, "That device is not told any more.")
    return redirect("notify:wishes")


@public
@require_GET
def push_worker(request: HttpRequest) -> HttpResponse:
    """The script a browser keeps to show a notice. Served here, because its place decides how far it may reach: these pages only."""
    answer = HttpResponse(
        (settings.BASE_DIR / "static" / "js" / "push-worker.js").read_text(), content_type="text/javascript"
    )
    answer["Cache-Control"] = "no-cache"
    return answer
