"""The gate a third time, written from the promises' text for the tests alone: flat, slow and plain.

It shares no code with sessions/rules/gate.py nor with the trigger. A state is a dictionary of plain values.
"""

import itertools
from datetime import timedelta
from typing import Any

MIN = timedelta(minutes=1)


def failing(s: dict[str, Any]) -> set[str]:
    """The conditions that do not hold in state `s`."""
    bad: set[str] = set()
    now = s["at"]

    if not (s["active"] is True and s["verified"] is True and s["age"] is not None and s["age"] >= 18):
        bad.add("G1")
    if s["consent"] is not True:
        bad.add("G2")
    for fact in ("signed", "in_force", "unexpired", "covers", "licensed"):
        if s[fact] is not True:
            bad.add("G3")
    if s["left"] is None or s["left"] < 1:
        bad.add("G3")
    if s["dose"] is None or s["dose"] != s["order_dose"] or s["dose"] <= 0:
        bad.add("G4")
    if s["settled"] is not True:
        bad.add("G5")
    if s["looked_at_releases"] is not True or (
        s["last_release"] is not None and now - s["last_release"] < timedelta(days=6)
    ):
        bad.add("G6")
    if (
        s["open"] is not True
        or s["other"] is not False
        or s["today"] is not True
        or s["hour"] is None
        or not 7 <= s["hour"] <= 19
    ):
        bad.add("G7")
    if not readings_allow(s):
        bad.add("G8")
    if (
        s["sitter_at"] is None
        or not timedelta(0) <= now - s["sitter_at"] <= 90 * MIN
        or len(s["sitter_said"]) < 5
    ):
        bad.add("G9")
    if not answers_allow(s):
        bad.add("G10")
    if s["place"] is not True or s["contact"] is not True:
        bad.add("G11")
    if (
        s["role"] not in ("coach", "psychiatrist")
        or s["assigned"] is not True
        or s["step_up"] is None
        or not timedelta(0) <= now - s["step_up"] <= 5 * MIN
        or s["crisis"] is not False
        or s["hold"] is not False
        or s["on_call"] is not True
    ):
        bad.add("G12")
    if s["taken_before"] is not False and s["decided"] is not True:
        bad.add("G13")
    if s["decision"] == "stop" or (
        s["decision"] != "" and (s["decided_dose"] is None or s["decided_dose"] != s["dose"])
    ):
        bad.add("G13")
    if s["units"] is None or s["per_dose"] is None or s["per_dose"] < 1 or s["units"] < s["per_dose"]:
        bad.add("G14")
    if s["kit"] is not True or s["practised"] is None or s["practised"] < 2:
        bad.add("G14")
    if s["scores"] is not True:
        bad.add("G15")
    if (
        s["screen"] is None
        or s["screen"] == "high"
        or (s["screen"] == "moderate" and s["seen_today"] is not True)
        or s["owed"] is not False
    ):
        bad.add("G16")
    return bad


def answers_allow(s: dict[str, Any]) -> bool:
    checks = s["checks"]
    if not checks:
        return False
    last = sorted(checks, key=lambda c: c["at"])[-1]
    if not last["today"] or "not_fasted" in last["codes"] or "unanswered" in last["codes"]:
        return False
    for c in checks:
        grave = [code for code in c["codes"] if code not in ("not_fasted", "unanswered")]
        if grave and not (c["cleared"] is not None and c["at"] < c["cleared"] <= s["at"]):
            return False
    return True


def readings_allow(s: dict[str, Any]) -> bool:
    """Two fresh readings 1-5 minutes apart, or the last two of three; mean in the go band; what was high before is not forgotten."""
    now, everything = s["at"], sorted(s["readings"], key=lambda r: r["got"])
    if s["sys_max"] is None or s["dia_max"] is None:
        return False
    good = [r for r in everything if not r["rejected"]]
    if not good or everything[-1]["rejected"]:
        return False
    if any(r["got"] > now for r in good):
        return False
    if any(r["s"] >= 180 or r["d"] >= 120 for r in good):
        return False
    groups: list[list[dict[str, Any]]] = []
    for r in good:
        group = groups[-1] if groups else None
        complete = group is not None and (
            len(group) == 3 or (len(group) == 2 and abs(group[0]["s"] - group[1]["s"]) <= 10)
        )
        if group is None or complete or r["got"] - group[-1]["got"] > 5 * MIN:
            groups.append([r])
        else:
            group.append(r)
    mine = groups[-1]
    if len(mine) == 1 or (len(mine) == 2 and abs(mine[0]["s"] - mine[1]["s"]) > 10):
        return False
    if any(b["got"] - a["got"] < MIN for a, b in itertools.pairwise(mine)):
        return False
    if now - mine[0]["got"] > 30 * MIN:
        return False
    if any(r["used"] or r["said"] > r["got"] + 2 * MIN or r["said"] < r["got"] - 30 * MIN for r in mine):
        return False
    sys_mean, dia_mean = (mine[-1]["s"] + mine[-2]["s"]) / 2, (mine[-1]["d"] + mine[-2]["d"]) / 2
    if sys_mean >= 160 or dia_mean >= 100 or sys_mean < 90 or dia_mean < 50:
        return False
    if any(not 40 <= r["p"] <= 120 for r in mine) or any(r["o"] is not None and r["o"] < 95 for r in mine):
        return False
    doctor = s["caution"] and s["role"] == "psychiatrist"
    worrying = (
        sys_mean >= 140
        or dia_mean >= 90
        or sys_mean >= s["sys_max"]
        or dia_mean >= s["dia_max"]
        or any(not 50 <= r["p"] <= 100 for r in mine)
    )
    tries = 0
    for earlier, later in itertools.pairwise(groups):
        two = (
            earlier[-2:]
            if len(earlier) == 3 or (len(earlier) == 2 and abs(earlier[0]["s"] - earlier[1]["s"]) <= 10)
            else None
        )
        a = sum(r["s"] for r in two) / 2 if two else max(r["s"] for r in earlier)
        b = sum(r["d"] for r in two) / 2 if two else max(r["d"] for r in earlier)
        if not (90 <= a < 140 and 50 <= b < 90):
            tries += 1
            worrying = worrying or later[0]["got"] - earlier[-1]["got"] < 15 * MIN
    if (worrying or tries > 2) and not doctor:
        return False
    high_before = any(r["s"] >= 160 or r["d"] >= 100 for group in groups[:-1] for r in group)
    return not high_before or (doctor and all(r["s"] < 140 and r["d"] < 90 for r in mine))
