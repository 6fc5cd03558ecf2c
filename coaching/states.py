"""How a conversation stands. Whose move it is decides, and only what somebody did changes it."""

WAITING, ANSWERED = "waiting", "answered"

THREAD_MOVES = {
    ("", "waiting"): "patient",
    ("", "answered"): "care team",
    ("waiting", "answered"): "care team: by an answer, or by saying that none is needed",
    ("answered", "waiting"): "patient: by writing again",
}
