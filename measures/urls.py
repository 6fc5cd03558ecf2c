"""Addresses of the safety plan and of a clinician's C-SSRS results."""

from django.urls import path

from measures import views

app_name = "measures"
urlpatterns = [
    path("safety-plan/", views.safety_plan, name="safety_plan"),
    path("safety-plan/<uuid:patient_id>/", views.safety_plan_of, name="safety_plan_of"),
    path("c-ssrs/<uuid:patient_id>/", views.cssrs, name="cssrs"),
]
