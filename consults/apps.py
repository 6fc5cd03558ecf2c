from django.apps import AppConfig


class ConsultsConfig(AppConfig):
    name = "consults"
    verbose_name = "Visits and orders"

    def ready(self) -> None:
        from django.core import checks

        from common import hooks
        from consults.access.introductions import introduction_work
        from consults.access.leave import leave_of
        from consults.access.rooms import about_introduction, about_room
        from consults.access.visits import patients_by_appointment
        from consults.access.work import work_items
        from consults.access.work_between import work_between_visits
        from consults.checks import pharmacy_is_real, refuse_to_start
        from consults.gateways.calendar import files_of

        refuse_to_start()
        checks.register(pharmacy_is_real, deploy=True)

        hooks.register("message.files", files_of)
        hooks.register("staff.away", leave_of)
        hooks.register("patient.visible", patients_by_appointment)
        hooks.register("work.items", work_items)
        hooks.register("work.items", introduction_work)
        hooks.register("work.items", work_between_visits)
        hooks.register("room.about", about_room)
        hooks.register("room.about", about_introduction)
