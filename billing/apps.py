from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import access, actions, work
        from common import hooks

        hooks.register("booking.blockers", access.booking_blockers)
        hooks.register("intake.declined", actions.on_declined)
        hooks.register("consult.not_suitable", actions.on_not_suitable)
        hooks.register("work.items", work.work_items)
