"""Pages of the portal: home by role."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.guards import for_role


@for_role("patient", "psychiatrist", "coach", "administrator")
def home(request: HttpRequest) -> HttpResponse:
    """One address for everybody; the page of their role."""
    return render(
        request, f"{'patient' if request.user.role == 'patient' else request.user.role}/home.html", {}
    )
