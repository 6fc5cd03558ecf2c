"""API addresses of readings, under /api/v1/."""

from django.urls import path

from vitals import api

urlpatterns = [path("readings/", api.readings, name="api-readings")]
