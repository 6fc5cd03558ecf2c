"""Addresses of the outbox, of a person's own wishes, and of Twilio's calls."""

from django.urls import path

from notify.views import outbox, stuck, twilio, wishes

app_name = "notify"
urlpatterns = [
    path("profile/messages/", wishes.wishes, name="wishes"),
    path("profile/messages/devices/", wishes.device_add, name="device_add"),
    path("profile/messages/devices/<uuid:device_id>/remove/", wishes.device_remove, name="device_remove"),
    path("profile/messages/worker.js", wishes.push_worker, name="push_worker"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/demo/", outbox.demo, name="demo"),
    path("outbox/catalogue/", outbox.catalogue, name="catalogue"),
    path("outbox/stuck/", stuck.stuck, name="stuck"),
    path("outbox/stuck/<uuid:letter_id>/again/", stuck.stuck_again, name="stuck_again"),
    path("outbox/stuck/<uuid:letter_id>/settle/", stuck.stuck_settle, name="stuck_settle"),
    path("outbox/replies/", outbox.replies, name="replies"),
    path("outbox/replies/<uuid:reply_id>/handled/", outbox.reply_handled, name="reply_handled"),
    path("outbox/<uuid:message_id>/again/", outbox.try_again, name="try_again"),
    path("webhooks/twilio/status/", twilio.twilio_status, name="twilio_status"),
    path("webhooks/twilio/inbound/", twilio.twilio_inbound, name="twilio_inbound"),
]
