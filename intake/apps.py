from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "intake"
    verbose_name = "Intake"

    def ready(self) -> None:
        from common import hooks
        from intake.access import patients_held_by, rules_read, work_items
        from intake.actions import facts_changed, on_instrument_completed

        hooks.register("patient.visible", patients_held_by)
        hooks.register("work.items", work_items)
        hooks.register("patient.facts_changed", facts_changed)
        hooks.register("instrument.completed", on_instrument_completed)
        hooks.register("protocol.read", rules_read)
