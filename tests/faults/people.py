"""The practice of a storm: run once, in a process of its own, with the product's own code. Prints what the generator needs.

python -m tests.faults.people SEED CRISES VISITORS REMINDERS LEAVERS SECONDS
"""

import datetime as dt
import json
import random
import sys
from typing import Any


def main(
    seed: int, crises: int, visitors: int, reminders: int, leavers: int, seconds: float
) -> dict[str, Any]:
    from accounts import actions as people
    from accounts.models import CareTeam, DeaRegistration, Licence, Patient, User
    from bench.server import _session_cookie
    from common import clock, protocol
    from consults.actions import double_book
    from notify.actions import promise
    from tests.consults.builders import weekly_hours

    dice = random.Random(seed)
    at = clock.now()
    dana = User.objects.get(full_name="Dana")
    Licence.objects.create(
        psychiatrist=dana, state="CA", number="CA-1", expires_on=at.date() + dt.timedelta(days=900)
    )
    DeaRegistration.objects.create(
        psychiatrist=dana, state="CA", number="FR1234567", expires_on=at.date() + dt.timedelta(days=900)
    )
    ann = User.objects.get(full_name="Ann")
    ben = User.objects.create(
        email="ben@example.test", full_name="Ben", role="administrator", is_staff=True, password="!"
    )
    draft = protocol.propose(version="storm", data=protocol.from_files(), by=ann, at=at)
    protocol.approve(draft, by=ben, at=at)
    weekly_hours(dana)

    def a_patient(name: str) -> dict[str, Any]:
        user = User.objects.create(
            email=f"{name}@example.test", full_name=name, role="patient", password="!", phone="+14155550177",
            time_zone="America/Los_Angeles",
        )  # fmt: skip
        patient = people.register_patient(user, by=user, at=at)
        Patient.objects.filter(pk=patient.pk).update(
            date_of_birth=dt.date(1988, 4, 2), state="CA", sex="female"
        )
        CareTeam.objects.filter(pk=patient.pk).update(psychiatrist=dana)
        scopes = ["readings:write", "responses:write"]
        _, token = people.issue_device_token(user, label="phone", scopes=scopes, by=user, at=at)
        return {"id": str(user.pk), "token": token, "name": name}

    def a_reminder(number: int) -> dict[str, Any]:
        due_at = at + dt.timedelta(seconds=10 + dice.random() * seconds)
        channel = "email" if number % 4 == 0 else "sms"
        row = promise(
            "test.reminder", to=dana, channel=channel, template="ready-made", due_at=due_at, at=at,
            context={"subject": "A reminder", "body": f"Reminder <{number}>"}, respect_quiet_hours=False,
        )  # fmt: skip
        return {
            "id": str(row.pk),
            "channel": channel,
            "due_at_s": due_at.timestamp(),
            "words": f"Reminder <{number}>",
        }

    def a_visitor(number: int) -> dict[str, Any]:
        person = a_patient(f"visitor-{number}")
        return {**person, "cookie": _session_cookie(User.objects.get(pk=person["id"]))}

    # Where it is the middle of the day now: no night holds these reminders back.
    east_h = (14 - at.hour + 12) % 24 - 12
    midday_zone = f"Etc/GMT{-east_h:+d}" if east_h else "Etc/GMT"

    def a_leaver(number: int) -> dict[str, Any]:
        """Somebody whose reminder of the day before falls due in the storm, and who may cancel before."""
        person = a_patient(f"leaver-{number}")
        user = User.objects.get(pk=person["id"])
        user.phone, user.time_zone = f"+1415556{number:04d}", midday_zone
        user.save()
        due_at = at + dt.timedelta(seconds=20 + dice.random() * seconds)
        visit = double_book(
            Patient.objects.get(pk=user.pk), visit_type="intro", starts_at=due_at + dt.timedelta(days=1),
            reason="The storm", by=dana, at=at,
        )  # fmt: skip
        return {
            "id": person["id"],
            "cookie": _session_cookie(user),
            "visit": str(visit.pk),
            "due_at_s": due_at.timestamp(),
            "to": {"sms": user.phone, "email": user.email},
            # The last in four stays: its reminders come.
            "cancels": number % 4 != 3,
        }

    return {
        "leavers": [a_leaver(number) for number in range(leavers)],
        "on_call": {user.phone: str(user.pk) for user in User.objects.filter(role="psychiatrist")},
        "crises": [a_patient(f"crisis-{number}") for number in range(crises)],
        "measurers": [a_patient(f"measurer-{number}") for number in range(10)],
        "visitors": [a_visitor(number) for number in range(visitors)],
        "reminders": [a_reminder(number) for number in range(reminders)],
    }


if __name__ == "__main__":
    import django

    django.setup()
    seed, crises, visitors, reminders, leavers = map(int, sys.argv[1:6])
    print(json.dumps(main(seed, crises, visitors, reminders, leavers, float(sys.argv[6]))))
