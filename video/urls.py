"""Every page of the rooms."""

from django.urls import path

from video import views

app_name = "video"
urlpatterns = [
    path("video/check/", views.check, name="check"),
    path("video/<uuid:room_id>/", views.room, name="room"),
    path("video/<uuid:room_id>/pass/", views.room_pass, name="pass"),
    path("video/<uuid:room_id>/line/", views.line, name="line"),
    path("video/<uuid:room_id>/phone/", views.phone, name="phone"),
    path("video/<uuid:room_id>/late/", views.late, name="late"),
    path("video/<uuid:room_id>/guests/", views.guests, name="guests"),
    path("video/<uuid:room_id>/admit/<uuid:seat_id>/", views.admit, name="admit"),
    path("video/<uuid:room_id>/remove/<uuid:seat_id>/", views.remove, name="remove"),
    path("video/<uuid:room_id>/close/", views.close, name="close"),
    path("v/<str:guest_token>/", views.guest, name="guest"),
    path("v/<str:guest_token>/in/", views.guest_in, name="guest_in"),
    path("v/<str:guest_token>/check/", views.guest_check, name="guest_check"),
    path("v/<str:guest_token>/pass/", views.guest_pass, name="guest_pass"),
    path("v/<str:guest_token>/line/", views.guest_line, name="guest_line"),
]
