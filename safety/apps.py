from django.apps import AppConfig


class SafetyConfig(AppConfig):
    name = "safety"
    verbose_name = "Safety"

    def ready(self) -> None:
        from django.core import checks

        from common import hooks
        from safety import access, task_access, work
        from safety.actions import person_left
        from safety.actions.duty import on_duty_ends
        from safety.checks import lane_is_watched

        checks.register(lane_is_watched, deploy=True)

        # Before anything else moves: what cannot be passed on refuses the whole action.
        hooks.register("duty.ends", on_duty_ends)
        hooks.register("person.left", person_left)
        hooks.register("patient.visible", task_access.patients_of_tasks)
        hooks.register("work.items", task_access.task_items)
        hooks.register("work.items", work.work_items)
        hooks.register("protocol.read", access.escalations_read)
