"""Addresses of the coach's part."""

from django.urls import path

from coaching import views

app_name = "coaching"
urlpatterns = [
    path("coaching/", views.caseload, name="caseload"),
    path("coaching/check-in/", views.daily, name="daily"),
    path("coaching/check-in/<uuid:check_in_id>/", views.check_in, name="check_in"),
    path("coaching/patient/<uuid:patient_id>/", views.patient_page, name="patient"),
]
