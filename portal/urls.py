"""The home of each role, and the pages about oneself that the log-in library does not have."""

from django.urls import path

from portal import views

app_name = "portal"
urlpatterns = [
    path("home/", views.home, name="home"),
]
