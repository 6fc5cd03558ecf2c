from django.apps import AppConfig

from common import hooks


class CoachingConfig(AppConfig):
    name = "coaching"

    def ready(self) -> None:
        from coaching import access, actions, message_access, text_actions, work

        hooks.register("intake.accepted", actions.on_intake_accepted)
        # A signed order opens the course (sessions registers first); its check-ins are planned in the same transaction.
        hooks.register("order.signed", actions.on_order_signed)
        hooks.register("session.closed", actions.on_session_closed)
        hooks.register("person.zone_changed", actions.on_zone_changed)
        hooks.register("work.items", work.work_items)
        hooks.register("work.items", message_access.work_items)
        hooks.register("coach.now", message_access.coaches_now)
        hooks.register("coach.stands_in", message_access.stands_in_for_coaches)
        hooks.register("staff.away_now", message_access.away_now)
        hooks.register("text.received", text_actions.on_text)
        hooks.register("chart.panels", message_access.chart_panel)
        hooks.register("course.noticed", access.noticed)
