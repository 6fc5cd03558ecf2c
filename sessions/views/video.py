"""From the session to its video room, for the patient and the care team."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.guards import for_role
from common import clock, intents
from sessions import actions
from sessions.access.video import OPEN, coach_of
from sessions.views.shared import keep_alive, own_session, room_url


@for_role("patient", "coach", "psychiatrist")
@require_http_methods(["GET", "POST"])
@intents.guard
def video(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The coach by video, in one press; the steps of the day stay where they are."""
    session = own_session(request, session_id)
    if request.method == "POST":
        keep_alive(request, session)
        room = actions.open_session_room(session, by=request.user, at=clock.now())
        return redirect("video:room", room.pk)
    if request.user.role != "patient" or session.state not in OPEN:
        return redirect(room_url(session.pk))
    context = {"session": session, "coach": coach_of(session), "intent": intents.mint()}
    return render(request, "patient/sessions/video.html", context)
