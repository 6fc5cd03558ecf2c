"""Addresses of the dosing day."""

from django.urls import path

from sessions.views import deciding, medicine, room, sitter, staff, stopping, video

app_name = "sessions"
urlpatterns = [
    path("sessions/", staff.sessions, name="sessions"),
    path("sessions/journal/", room.journal, name="journal"),
    path("sessions/journal/<uuid:entry_id>/share/", room.journal_share, name="journal_share"),
    path("sessions/<uuid:session_id>/", staff.session, name="session"),
    path("sessions/<uuid:session_id>/now/", room.room_part, name="room_part"),
    path("sessions/<uuid:session_id>/start/", room.start, name="start"),
    path("sessions/<uuid:session_id>/check/", room.check, name="check"),
    path("sessions/<uuid:session_id>/place/", room.place, name="place"),
    path("sessions/<uuid:session_id>/sitter/", room.sitter, name="invite_sitter"),
    path("sessions/<uuid:session_id>/reading/", room.reading, name="reading"),
    path("sessions/<uuid:session_id>/taken/", room.taken, name="taken"),
    path("sessions/<uuid:session_id>/music/end/", room.music_end, name="music_end"),
    path("sessions/<uuid:session_id>/symptoms/", room.symptoms, name="symptoms"),
    path("sessions/<uuid:session_id>/help/", room.get_help, name="help"),
    path("sessions/<uuid:session_id>/stop/", room.stop, name="stop"),
    path("sessions/<uuid:session_id>/end/", room.end, name="end"),
    path("sessions/<uuid:session_id>/follow-up/", room.follow_up, name="follow_up"),
    path("sessions/<uuid:session_id>/move/", room.move, name="move"),
    path("sessions/<uuid:session_id>/release/", staff.release, name="release"),
    path("sessions/<uuid:session_id>/clear/", staff.clear, name="clear"),
    path("sessions/<uuid:session_id>/call-off/", staff.call_off, name="call_off"),
    path("sessions/<uuid:session_id>/resume/", staff.resume, name="resume"),
    path("sessions/<uuid:session_id>/decide/", deciding.decide, name="decide"),
    path("sessions/<uuid:session_id>/video/", video.video, name="video"),
    path("sessions/<uuid:session_id>/stop-course/", stopping.stop_course, name="stop_course"),
    path("s/<str:token>/", sitter.sitter, name="sitter"),
    path("s/<str:token>/confirm/", sitter.confirm, name="sitter_confirm"),
    path("s/<str:token>/check/", sitter.check, name="sitter_check"),
    path("s/<str:token>/reading/", sitter.reading, name="sitter_reading"),
    path("s/<str:token>/symptoms/", sitter.symptoms, name="sitter_symptoms"),
    path("s/<str:token>/help/", sitter.get_help, name="sitter_help"),
    path("s/<str:token>/medicine/", medicine.report, name="sitter_medicine"),
    path("s/<str:token>/sign/", sitter.sign, name="sitter_sign"),
]
