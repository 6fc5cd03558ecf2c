"""One answer of the intake, kept by the script of the page as soon as it is given."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.guards import for_role
from common import clock, intents
from common.errors import StaleVersion
from intake import actions, states
from intake.access.asking import asked_step
from intake.forms import step_form
from intake.rules.merging import SCORED
from intake.rules.steps import Step
from intake.views import scales
from intake.views.answering import WITH_THE_PSYCHIATRIST, clash_words, saved_words, whole
from intake.views.common import own_intake


@for_role("patient")
@require_POST
@intents.guard
def answer(request: HttpRequest, step_id: str) -> HttpResponse:
    """One answer, kept as soon as it is given. Without JavaScript the page's own button does the same for all of them."""
    try:
        asked = asked_step(step_id)
    except KeyError:
        raise Http404 from None
    _, intake = own_intake(request)
    if intake is None or not asked.is_form:
        raise Http404
    if not asked.questions:
        return scales.answer(request, asked, intake)
    if intake.state not in states.PATIENT_WRITES:
        return JsonResponse({"saved": False, "said": WITH_THE_PSYCHIATRIST}, status=409)
    names = _asked_for(asked, request.POST.get("answered", ""))
    at = clock.now()
    on = clock.local_date(at, intake.patient.user.time_zone)
    form = step_form(asked, part=True)(request.POST, on=on, initial={})
    form.is_valid()
    wrong = [str(message) for name in names for message in form.errors.get(name, [])]
    if wrong:
        return JsonResponse({"saved": False, "said": " ".join(wrong)}, status=422)
    given = form.answers()
    own = {question.name for question in asked.questions}
    plain = {name: given[name] for name in names if name in own and name in given}
    scored = {name: str(given[name]) for name in names if name not in own and name in given}
    if scored:
        plain[SCORED] = scored
    try:
        saved = actions.save_answers(
            intake, asked.id, plain, asked=[name for name in names if name in own and name not in form.hidden_names],
            version=whole(request.POST.get("version", "")), complete=None, by=request.user, at=at,
        )  # fmt: skip
    except StaleVersion as error:
        return JsonResponse({"saved": False, "said": error.detail}, status=409)
    if saved.clashes:
        one = clash_words(asked, saved.clashes, request.user)[0]
        words = (
            f"“{one['label']}” was answered elsewhere{one['since']}: {one['kept']}. Here: {one['typed']}. "
            "The one saved elsewhere is newer than this page. Press “Save and go on” to choose."
        )
        return JsonResponse({"saved": False, "said": words}, status=409)
    version = whole(request.POST.get("version", ""))
    response = JsonResponse(saved_words(request, asked, saved, version=version, at=at))
    response.replay_url = reverse("intake:step", args=[asked.id])  # type: ignore[attr-defined]
    return response


def _asked_for(asked: Step, name: str) -> tuple[str, ...]:
    """The answer that was given, with the fields that are one answer with it. 404 for a name the step does not have."""
    fields = step_form(asked).base_fields  # type: ignore[attr-defined]
    if name not in fields:
        raise Http404
    return next((names for names in asked.together if name in names), (name,))
