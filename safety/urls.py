"""Addresses of alerts, roster and the key press that answers a call."""

from django.urls import path

from safety import views

app_name = "safety"
urlpatterns = [
    path("alerts/", views.alerts, name="alerts"),
    path("alerts/roster/", views.roster, name="roster"),
    path("alerts/roster/<uuid:shift_id>/remove/", views.remove_shift, name="remove_shift"),
    path("alerts/holds/<uuid:hold_id>/clear/", views.clear_hold, name="clear_hold"),
    path("alerts/<uuid:alert_id>/", views.alert, name="alert"),
    path("alerts/<uuid:alert_id>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("alerts/<uuid:alert_id>/close/", views.close, name="close"),
    path("webhooks/twilio/answer/<uuid:alert_id>/<uuid:person_id>/", views.answer, name="answer"),
]
