"""Addresses of the coach's part."""

from django.urls import path

from coaching import message_views as messages
from coaching import views

app_name = "coaching"
urlpatterns = [
    path("coaching/", views.caseload, name="caseload"),
    path("coaching/check-in/", views.daily, name="daily"),
    path("coaching/check-in/<uuid:check_in_id>/", views.check_in, name="check_in"),
    path("coaching/patient/<uuid:patient_id>/", views.patient_page, name="patient"),
    path("messages/", messages.inbox, name="inbox"),
    path("messages/new/", messages.new, name="new_message"),
    path("messages/new/draft/", messages.draft_new, name="message_draft_new"),
    path("messages/to/<uuid:patient_id>/", messages.new_to, name="new_message_to"),
    path("messages/to/<uuid:patient_id>/draft/", messages.draft_to, name="message_draft_to"),
    path("messages/of/<uuid:patient_id>/", messages.of_patient, name="messages_of"),
    path("messages/files/<uuid:file_id>/", messages.file, name="message_file"),
    path("messages/<uuid:thread_id>/", messages.thread, name="messages"),
    path("messages/<uuid:thread_id>/draft/", messages.draft, name="message_draft"),
    path("messages/<uuid:thread_id>/emergency/", messages.emergency, name="message_emergency"),
    path("messages/<uuid:thread_id>/take/", messages.take, name="take_messages"),
    path("messages/<uuid:thread_id>/looked/", messages.looked, name="looked_at_messages"),
    path("messages/<uuid:thread_id>/no-answer/", messages.no_answer, name="no_answer_needed"),
    path("messages/<uuid:thread_id>/hand-over/", messages.hand_over, name="hand_over_messages"),
]
