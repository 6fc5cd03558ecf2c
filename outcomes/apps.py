from django.apps import AppConfig

from common import hooks


class OutcomesConfig(AppConfig):
    name = "outcomes"

    def ready(self) -> None:
        from outcomes import actions, work

        hooks.register("instrument.completed", actions.on_instrument_completed)
        hooks.register("session.closed", actions.on_session_closed)
        hooks.register("work.items", work.work_items)
