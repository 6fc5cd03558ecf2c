from django.apps import AppConfig


class MeasuresConfig(AppConfig):
    name = "measures"
    verbose_name = "Questionnaires"

    def ready(self) -> None:
        from common import hooks
        from measures import access

        hooks.register("protocol.read", access.safety_questions_read)
