from django.apps import AppConfig


class SafetyConfig(AppConfig):
    name = "safety"
    verbose_name = "Safety"

    def ready(self) -> None:
        from common import hooks
        from safety import task_access
        from safety.actions import person_left

        hooks.register("person.left", person_left)
        hooks.register("patient.visible", task_access.patients_of_tasks)
        hooks.register("work.items", task_access.task_items)
