"""Every WebSocket route."""

from django.urls import path

from video.ws import RoomConsumer

websocket_urlpatterns = [path("ws/video/", RoomConsumer.as_asgi())]
