"""Addresses of scores and questionnaires."""

from django.urls import path

from outcomes import views

app_name = "outcomes"
urlpatterns = [
    path("outcomes/", views.mine, name="mine"),
    path("outcomes/practice/", views.practice, name="practice"),
    path("outcomes/questionnaire/<slug:instrument>/", views.questionnaire, name="questionnaire"),
    path("outcomes/<uuid:patient_id>/", views.of_patient, name="patient"),
]
