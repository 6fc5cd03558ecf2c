"""Addresses of the outbox and of Twilio's calls."""

from django.urls import path

from notify import views

app_name = "notify"
urlpatterns = [
    path("outbox/", views.outbox, name="outbox"),
    path("outbox/demo/", views.demo, name="demo"),
    path("outbox/catalogue/", views.catalogue, name="catalogue"),
    path("outbox/replies/", views.replies, name="replies"),
    path("outbox/replies/<uuid:reply_id>/handled/", views.reply_handled, name="reply_handled"),
    path("outbox/<uuid:message_id>/again/", views.try_again, name="try_again"),
    path("webhooks/twilio/status/", views.twilio_status, name="twilio_status"),
    path("webhooks/twilio/inbound/", views.twilio_inbound, name="twilio_inbound"),
]
