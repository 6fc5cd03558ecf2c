from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """The dosing day and its four-week course. The label is `dosing`: django.contrib.sessions owns the folder's name."""

    name = "sessions"
    label = "dosing"
    verbose_name = "Dosing sessions"

    def ready(self) -> None:
        from common import hooks
        from sessions.access.busy import busy_times
        from sessions.access.rates import doses_given
        from sessions.access.used import medicine_used
        from sessions.access.video import about_session
        from sessions.access.work import work_items
        from sessions.actions import (
            on_consent_withdrawn,
            on_not_suitable,
            on_reading,
            open_course,
            reading_context,
            watch_late,
        )

        hooks.register("order.signed", open_course)
        hooks.register("doses.given", doses_given)
        hooks.register("patient.busy", busy_times)
        hooks.register("medicine.used", medicine_used)
        hooks.register("consult.not_suitable", on_not_suitable)
        hooks.register("consent.withdrawn", on_consent_withdrawn)
        hooks.register("reading.context", reading_context)
        hooks.register("reading.recorded", on_reading)
        hooks.register("work.items", work_items)
        hooks.register("lane.watch", watch_late)
        hooks.register("room.about", about_session)
