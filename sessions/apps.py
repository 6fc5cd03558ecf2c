from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """The dosing day and its four-week course. The label is `dosing`: django.contrib.sessions owns the folder's name."""

    name = "sessions"
    label = "dosing"
    verbose_name = "Dosing sessions"
