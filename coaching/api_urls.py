"""Addresses under /api/v1/."""

from django.urls import path

from coaching import api

urlpatterns = [
    path("check-ins/", api.CheckIns.as_view(), name="api-check-ins"),
    path("check-ins/<uuid:check_in_id>/", api.CheckInDetail.as_view(), name="api-check-in"),
]
