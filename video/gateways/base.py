"""What a carrier of pictures and sound must be able to do."""

from typing import Any, Protocol

from video.models import Room, Seat


class Carrier(Protocol):
    """Opens a room, gives one person one short-lived pass to it, closes it."""

    name: str

    def open(self, room: Room) -> str:
        """Make the room there; answers its id there, or an empty string where nothing has to be made."""
        ...

    def admission(self, seat: Seat, *, now_unix: int) -> dict[str, Any]:
        """What the browser of this seat needs to send and receive. Never for anybody who is not let in."""
        ...

    def show_out(self, seat: Seat) -> None:
        """End the connection of one person who lost the place; whatever goes wrong there, ours has ended."""
        ...

    def close(self, room: Room) -> None:
        """Nobody can stay or come after this."""
        ...
