"""Every WebSocket route."""

websocket_urlpatterns: list = []
