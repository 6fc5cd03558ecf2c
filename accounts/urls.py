"""Pages about oneself that the log-in library does not have."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("profile/security/", views.security, name="security"),
    path("accounts/second-step/", views.second_step, name="second_step"),
    path("accounts/invitation/<str:token>/", views.invitation, name="invitation"),
]
