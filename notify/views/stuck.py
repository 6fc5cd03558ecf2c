"""What no program tries any more, each with its owner: try it again, or settle it with a note."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.guards import for_role
from common import clock, intents
from common.errors import Invalid
from notify import access
from notify.actions.letters import settle_letter, try_letter_again
from notify.wording import TASK_WORDS

STAFF = ("administrator", "coach", "psychiatrist")


def _page(request: HttpRequest, wrong: dict[uuid.UUID, str], status: int = 200) -> HttpResponse:
    rows = access.letters_visible_to(request.user, at=clock.now())
    return render(
        request,
        "administrator/stuck.html",
        {
            "live": list(rows.filter(settled_at__isnull=True)[:100]),
            "settled": list(rows.filter(settled_at__isnull=False)[:20]),
            "task_words": TASK_WORDS,
            "wrong": wrong,
            "mint": intents.mint,
        },
        status=status,
    )


@for_role(*STAFF)
@require_GET
def stuck(request: HttpRequest) -> HttpResponse:
    """Administrators see everything that is stuck, others what they own."""
    return _page(request, {})


@for_role(*STAFF)
@require_POST
@intents.guard
def stuck_again(request: HttpRequest, letter_id: uuid.UUID) -> HttpResponse:
    """Try it once more."""
    letter = access.visible_letter(request.user, letter_id, at=clock.now())
    try_letter_again(letter, by=request.user, at=clock.now())
    messages.success(request, "It is tried again, within ten seconds.")
    return redirect("notify:stuck")


@for_role(*STAFF)
@require_POST
@intents.guard
def stuck_settle(request: HttpRequest, letter_id: uuid.UUID) -> HttpResponse:
    """It was dealt with in another way."""
    letter = access.visible_letter(request.user, letter_id, at=clock.now())
    try:
        settle_letter(letter, note=request.POST.get("note", ""), by=request.user, at=clock.now())
    except Invalid as error:
        return _page(request, {letter.pk: error.fields["note"]}, status=422)
    messages.success(request, "Settled.")
    return redirect("notify:stuck")
