"""API addresses of free times and appointments, under /api/v1/."""

from django.urls import path

from consults.api import Appointments, CancelAppointment, Slots

urlpatterns = [
    path("slots/", Slots.as_view(), name="api_slots"),
    path("appointments/", Appointments.as_view(), name="api_appointments"),
    path(
        "appointments/<uuid:appointment_id>/cancel/",
        CancelAppointment.as_view(),
        name="api_appointment_cancel",
    ),
]
