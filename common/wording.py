"""Words that several apps need in the same form."""


def lasted(seconds: float) -> str:
    """How long something has lasted, in the largest unit that still says it: 90 seconds, 4 minutes, 26 hours, 2 days."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        # Two of a unit at least, so that 26 hours are not “one day”, and nothing is ever “1 minutes”.
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} seconds"
