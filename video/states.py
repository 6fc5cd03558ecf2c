"""What happened to a seat, in the order of its book: each line is written once and stays."""

WAITING = "waiting"
ADMITTED = "admitted"
JOINED = "joined"
LEFT = "left"
PHONE = "phone"
SOUND_ONLY = "sound_only"
REMOVED = "removed"

SEAT_EVENTS = {
    WAITING: "came to the waiting room",
    ADMITTED: "was let in",
    JOINED: "was connected",
    LEFT: "lost the connection or left",
    PHONE: "asked to be called by telephone",
    SOUND_ONLY: "went on with sound only",
    REMOVED: "was shown out",
}
