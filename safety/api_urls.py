"""API addresses of alerts, under /api/v1/."""

from django.urls import path

from safety import api

urlpatterns = [
    path("alerts/", api.Alerts.as_view(), name="api-alerts"),
    path("alerts/<uuid:alert_id>/acknowledge/", api.AcknowledgeAlert.as_view(), name="api-alert-acknowledge"),
    path("alerts/<uuid:alert_id>/close/", api.CloseAlert.as_view(), name="api-alert-close"),
]
