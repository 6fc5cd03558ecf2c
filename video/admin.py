"""Rooms and their book, to be read. Who a guest is stays with the visit's own pages."""

from django.contrib import admin

from common.admin import HistoryAdmin
from video.models import Room, SeatEvent


@admin.register(Room)
class RoomAdmin(HistoryAdmin):
    list_display = ("id", "about_type", "vendor", "opens_at", "closes_at", "closed_at")
    list_filter = ("vendor",)


@admin.register(SeatEvent)
class SeatEventAdmin(HistoryAdmin):
    list_display = ("at", "kind", "seat")
