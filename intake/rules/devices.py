"""A word for the kind of device, from what a browser says of itself: enough for a signature, too little to follow anybody."""

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "Chromebook"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)
# In this order: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)


def device_note(user_agent: str) -> str:
    """“Safari on iPhone”; “a browser” where it does not say. No version, no address."""
    system = next((word for sign, word in _SYSTEMS if sign in user_agent), "")
    browser = next((word for sign, word in _BROWSERS if sign in user_agent), "a browser")
    return f"{browser} on {system}" if system else browser
