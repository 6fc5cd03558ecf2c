"""API addresses of sessions, under /api/v1/."""

from django.urls import path

from sessions import api

urlpatterns = [
    path("sessions/<uuid:session_id>/", api.Session.as_view(), name="api-session"),
    path("sessions/<uuid:session_id>/dose/", api.Dose.as_view(), name="api-session-dose"),
    path("sessions/<uuid:session_id>/taken/", api.Taken.as_view(), name="api-session-taken"),
]
