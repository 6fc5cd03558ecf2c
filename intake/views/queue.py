"""The review queue: what waits, whose turn it is, taking and giving back, and the states that nobody serves."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.guards import for_role
from common import clock, intents, protocol
from common.clock import age_years, local_date
from common.errors import Conflict
from intake import access, actions, states
from intake.models import Intake
from intake.rules import Outcome
from intake.rules.review import read_by, reason_classes
from intake.wording import SCREEN_RESULT_FOR_STAFF, RuleText, rule_texts

URGENCY = {3: ("Now", "act"), 2: ("Today", "pause"), 1: ("Soon", "info"), 0: ("Routine", "neutral")}
OUTCOME_KIND = {"exclude": "stop", "review": "pause", "ok": "ok"}
# What a true rule means for whoever reads, gravest first: red, red, amber, none; each with its word.
WEIGHT = {"crisis": ("Crisis", "act"), "exclude": ("Excludes", "stop"), "review": ("Review", "pause"), "ok": ("To know", "neutral")}  # fmt: skip
WIDEST_REASONS = 6
SHOW = (("", "All"), ("again", "Answered again"), ("mine", "Answered me"))


def rules_in_force(*, at: datetime) -> dict[str, RuleText]:
    """All rules in the words and with the outcomes of the protocol in force; as shipped while none is approved."""
    try:
        return rule_texts(protocol.current(at=at).data["eligibility"])
    except Conflict:
        return rule_texts()


def weighed(reasons: list[str], rules: dict[str, RuleText], *, most: int = 0) -> list[dict[str, Any]]:
    """True rules by what they mean, gravest first, each group with its word and mark; no more than `most` are named."""
    # The last rule's criterion is a wish; in a list of what is true its opposite must stand.
    criteria = {id: text.criterion for id, text in rules.items()} | {"E71": "Something not answered"}
    weights = {
        id: "crisis" if text.crisis and text.outcome is Outcome.EXCLUDE else str(text.outcome)
        for id, text in rules.items()
    }
    order = list(WEIGHT)
    sorted_ids = sorted(reasons, key=lambda id: order.index(weights.get(id, "review")))
    named = sorted_ids[:most] if most else sorted_ids
    groups: list[dict[str, Any]] = []
    for weight, (word, kind) in WEIGHT.items():
        ids = [id for id in named if weights.get(id, "review") == weight]
        if ids:
            lines = [f"{id} {criteria.get(id, '')}".strip() for id in ids]
            groups.append({"word": word, "kind": kind, "lines": lines, "text": ", ".join(lines)})
    if groups and len(sorted_ids) > len(named):
        groups[-1]["text"] += f" and {len(sorted_ids) - len(named)} more"
    return groups


def span_words(how_long: timedelta) -> str:
    """A length of time in one short word pair: 45 min, 7 h, 3 days."""
    minutes = max(0, int(how_long.total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def age_bar(waited: timedelta, allowed: timedelta) -> int:
    """How much of its time an intake has used, as the width of the bar: 72 is all of it."""
    return min(72, max(4, round(72 * (waited / allowed)))) if allowed else 72


def row_for_page(
    row: dict[str, Any], rules: dict[str, RuleText], at: datetime, today: date
) -> dict[str, Any]:
    """One row of the queue in finished words, so that the template only places them."""
    word, kind = URGENCY[row["urgency"]]
    reasons = row["reasons"]
    due_at = read_by(row["submitted_at"], row["urgency"])
    return {
        "id": row["id"],
        "name": row["full_name"] or "Name not given",
        "age": age_years(row["date_of_birth"], today) if row["date_of_birth"] else "",
        "state": row["care_state"],
        "urgency": word,
        "kind": kind,
        "outcome": SCREEN_RESULT_FOR_STAFF[Outcome(row["outcome"])],
        "outcome_kind": OUTCOME_KIND[row["outcome"]],
        "why": weighed(reasons, rules, most=WIDEST_REASONS),
        "waited": span_words(at - row["submitted_at"]),
        "bar": age_bar(at - row["submitted_at"], due_at - row["submitted_at"]),
        "late": at > due_at,
        "clock": f"{span_words(at - due_at)} late" if at > due_at else f"{span_words(due_at - at)} left",
        "again": row["decided_at"] is not None,
        "intent": intents.mint(),
    }


def _address(wanted: access.QueueFilter, after: access.Place | None = None) -> str:
    query = wanted.query() | ({"after": after.token()} if after else {})
    return reverse("intake:queue") + (f"?{urlencode(query)}" if query else "")


@for_role("psychiatrist")
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """What waits in the states this psychiatrist is licensed in today, most urgent first, then oldest."""
    at = clock.now()
    token = request.GET.get("after", "")
    wanted = access.filter_from(request.GET)  # type: ignore[arg-type]
    view = access.queue_view(
        request.user,  # type: ignore[arg-type]
        at=at,
        after=access.place_from(token) if token else None,
        wanted=wanted,
    )
    today = local_date(at, request.user.time_zone)  # type: ignore[union-attr]
    rules = rules_in_force(at=at) if view.rows else {}
    context = {
        "rows": [row_for_page(row, rules, at, today) for row in view.rows],
        "count": view.count,
        "next_url": _address(wanted, view.after) if view.after else "",
        "first_url": _address(wanted) if token else "",
        "codes": view.states,
        "states": ", ".join(view.states),
        "wanted": wanted,
        "show": wanted.query().get("show", ""),
        "urgencies": [(str(number), word) for number, (word, _) in URGENCY.items()],
        "counts": [
            {
                "word": word.lower(),
                "number": view.by_urgency[number],
                "url": f"{reverse('intake:queue')}?urgency={number}",
            }
            for number, (word, _) in URGENCY.items()
        ],
        "classes": reason_classes(),
        "shows": SHOW,
        "look_along": access.LOOK_ALONG,
        "unserved": ", ".join(view.unserved),
        "next_intent": intents.mint(),
        "held": [
            {
                "patient_id": one["patient_id"],
                "name": one["full_name"] or "Name not given",
                "until": one["claim_expires_at"],
                "over": one["claim_expires_at"] <= at,
            }
            for one in view.held
        ],
    }
    return render(request, "psychiatrist/queue.html", context)


def _is_held(intake: Intake, at: datetime) -> bool:
    """Whether somebody's claim is still in force."""
    until = intake.claim_expires_at
    return intake.state == states.CLAIMED and until is not None and until > at


@for_role("psychiatrist")
@require_http_methods(["GET", "HEAD", "POST"])
@intents.guard
def take(request: HttpRequest, intake_id: uuid.UUID) -> HttpResponse:
    """Take an intake and open its chart; the page before that says who it is and why it waits."""
    at = clock.now()
    if request.method == "POST":
        intake = actions.claim(intake_id, by=request.user, at=at)  # type: ignore[arg-type]
        return HttpResponseRedirect(reverse("intake:chart", args=[intake.patient_id]))
    intake = access.intake_visible_to(request.user, intake_id, at)  # type: ignore[arg-type]
    overdue = access.is_overdue_answer(intake, at)
    if intake.claimed_by_id == request.user.pk or (intake.state not in states.IN_QUEUE and not overdue):
        return HttpResponseRedirect(reverse("intake:chart", args=[intake.patient_id]))
    context = {
        "intake": intake,
        "urgency": URGENCY[intake.urgency],
        "why": weighed(intake.reasons, rules_in_force(at=at)),
        "overdue_since": intake.more_info_due_on if overdue else None,
        "held_by": str(intake.claimed_by) if _is_held(intake, at) else "",
        "intent": intents.mint(),
    }
    return render(request, "psychiatrist/queue_item.html", context)


@for_role("psychiatrist")
@require_POST
@intents.guard
def take_next(request: HttpRequest) -> HttpResponse:
    """Take whoever is next in line, and open the chart."""
    intake = actions.claim_next(by=request.user, at=clock.now())  # type: ignore[arg-type]
    if intake is None:
        messages.info(request, "Nobody is waiting in your states.")
        return HttpResponseRedirect(reverse("intake:queue"))
    return HttpResponseRedirect(reverse("intake:chart", args=[intake.patient_id]))


@for_role("psychiatrist")
@require_POST
@intents.guard
def give_back(request: HttpRequest, intake_id: uuid.UUID) -> HttpResponse:
    """Put a claimed intake back for a colleague."""
    intake = access.intake_visible_to(request.user, intake_id, clock.now())  # type: ignore[arg-type]
    actions.release_claim(intake, by=request.user, at=clock.now())  # type: ignore[arg-type]
    return HttpResponseRedirect(reverse("intake:queue"))


@for_role("psychiatrist", "administrator")
@require_safe
def unserved(request: HttpRequest) -> HttpResponse:
    """States in which people wait and nobody may prescribe today, with who sees to each. Numbers only: nobody's name."""
    at = clock.now()
    owners = access.owners_of_unserved()
    rows = [
        {
            "code": one.code,
            "waiting": one.waiting,
            "since": one.oldest_at,
            "waited": span_words(at - one.oldest_at),
            "owner": owners[one.code].owner_name if one.code in owners else "",
            "due_at": owners[one.code].due_at if one.code in owners else None,
            "task_id": owners[one.code].task_id if one.code in owners else None,
        }
        for one in access.unserved_states(at)
    ]
    return render(request, "psychiatrist/unserved.html", {"rows": rows})
