"""Home: one address for everybody who is logged in, the page of their role; and what every open page of the staff asks for again."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.guards import for_role
from common import clock
from portal import home as homes
from safety.alert_story import banner_for
from video.access import waiting_lines

PAGES = {
    "patient": ("patient/home.html", homes.for_patient),
    "psychiatrist": ("psychiatrist/home.html", homes.for_psychiatrist),
    "coach": ("coach/home.html", homes.for_coach),
    "administrator": ("administrator/home.html", homes.for_administrator),
}


@for_role("patient", "psychiatrist", "coach", "administrator")
def home(request: HttpRequest) -> HttpResponse:
    """What is next for me, and what waits for me."""
    template, gather = PAGES[request.user.role]
    return render(request, template, gather(request.user, at=clock.now()))


@for_role("psychiatrist", "coach", "administrator")
@require_GET
def staff_now(request: HttpRequest) -> HttpResponse:
    """What must reach whoever reads any page of the staff: the lanes, open alerts, who waits. Asking is no sign of a person at the desk.

    `here`: the room of a visit whose page asks; it shows its own people itself.
    """
    here = request.GET.get("here", "")
    waits = (
        waiting_lines(request.user, at=clock.now(), but=here) if request.user.role != "administrator" else []
    )
    context = {"alerts_on_top": banner_for(request.user), "who_waits": waits, "in_a_visit": bool(here)}
    answer = render(request, "components/staff_now.html", context)
    answer["Cache-Control"] = "no-store, private"
    return answer
