"""Home: one address for everybody who is logged in, the page of their role."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.guards import for_role
from common import clock
from portal import home as homes

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
