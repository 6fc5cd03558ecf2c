from django.apps import AppConfig


class NotifyConfig(AppConfig):
    name = "notify"
    verbose_name = "Messages"

    def ready(self) -> None:
        from common import hooks
        from notify.actions.letters import owner_left
        from notify.actions.wishes import zone_changed
        from notify.work import work_items

        hooks.register("person.left", owner_left)
        hooks.register("person.zone_changed", zone_changed)
        hooks.register("work.items", work_items)
