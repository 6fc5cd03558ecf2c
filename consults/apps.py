from django.apps import AppConfig


class ConsultsConfig(AppConfig):
    name = "consults"
    verbose_name = "Visits and orders"

    def ready(self) -> None:
        from common import hooks
        from consults.access.visits import patients_by_appointment

        hooks.register("patient.visible", patients_by_appointment)
