"""Addresses of alerts, roster and the key press that answers a call."""

from django.urls import path

from safety import incident_views, roster_views, views

app_name = "safety"
urlpatterns = [
    path("alerts/", views.alerts, name="alerts"),
    path("alerts/roster/", roster_views.roster, name="roster"),
    path("alerts/roster/holidays/", roster_views.add_holiday, name="add_holiday"),
    path(
        "alerts/roster/holidays/<uuid:holiday_id>/remove/", roster_views.remove_holiday, name="remove_holiday"
    ),
    path("alerts/roster/away/", roster_views.add_away, name="add_away"),
    path("alerts/roster/away/<uuid:away_id>/remove/", roster_views.remove_away, name="remove_away"),
    path("alerts/roster/hand-over/<uuid:handover_id>/accept/", roster_views.accept, name="accept_handover"),
    path(
        "alerts/roster/hand-over/<uuid:handover_id>/decline/", roster_views.decline, name="decline_handover"
    ),
    path(
        "alerts/roster/hand-over/<uuid:handover_id>/withdraw/",
        roster_views.withdraw,
        name="withdraw_handover",
    ),
    path("alerts/roster/<uuid:shift_id>/remove/", roster_views.remove_shift, name="remove_shift"),
    path("alerts/roster/<uuid:shift_id>/hand-over/", roster_views.hand_over, name="hand_over"),
    path("alerts/holds/<uuid:hold_id>/clear/", views.clear_hold, name="clear_hold"),
    path("alerts/<uuid:alert_id>/", views.alert, name="alert"),
    path("alerts/<uuid:alert_id>/acknowledge/", views.acknowledge, name="acknowledge"),
    path("alerts/<uuid:alert_id>/reached/", views.reached, name="reached"),
    path("alerts/<uuid:alert_id>/take-over/", views.take_over, name="take_over"),
    path("alerts/<uuid:alert_id>/close/", views.close, name="close"),
    path("medicine-report/", incident_views.report_medicine, name="report_medicine"),
    path("medicine-report/done/", incident_views.medicine_reported, name="medicine_reported"),
    path("adverse-events/", incident_views.events, name="events"),
    path("adverse-events/<uuid:event_id>/", incident_views.event, name="event"),
    path("adverse-events/new/<uuid:patient_id>/", incident_views.new_event, name="new_event"),
    path(
        "adverse-events/incident/<uuid:patient_id>/", incident_views.report_incident, name="report_incident"
    ),
    path(
        "webhooks/twilio/answer/<uuid:alert_id>/<uuid:person_id>/<int:round_key>/",
        views.answer,
        name="answer",
    ),
]
