"""What no program tries any more gets an owner: one living row for each such thing, until a person tries it again or settles it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Role, User
from common import audit
from common.errors import Conflict, Invalid
from notify.models import DeadLetter, OutboxMessage
from notify.owner_access import first_administrator, owners_for


def bury_messages(rows: Iterable[tuple[OutboxMessage, str]], *, at: datetime) -> None:
    """Messages that failed for good: each gets a letter with an owner."""
    found = list(rows)
    if not found:
        return
    coaches, administrator = owners_for((row.patient_id or row.recipient_id for row, _ in found), at=at)
    letters = []
    for row, why in found:
        owner = coaches.get(row.patient_id or row.recipient_id) or administrator
        if owner is not None:
            letters.append(
                DeadLetter(
                    what="message",
                    key=str(row.pk),
                    name=row.kind,
                    patient_id=row.patient_id,
                    owner=owner,
                    error=why[:200],
                    tries=row.attempts,
                    opened_at=at,
                    last_at=at,
                )
            )
    DeadLetter.objects.bulk_create(letters, ignore_conflicts=True)


def bury_task(*, key: str, name: str, tries: int, error: str, at: datetime) -> DeadLetter | None:
    """A task that fails each time: one living letter, counted on. None when there is nobody to own it."""
    owner = first_administrator()
    if owner is None:
        return None
    with transaction.atomic():
        letter, opened = DeadLetter.objects.get_or_create(
            what="task", key=key[:160], settled_at=None,
            defaults={
                "name": name[:120], "owner": owner, "error": error[:200], "tries": tries, "opened_at": at, "last_at": at,
            },
        )  # fmt: skip
        if not opened:
            DeadLetter.objects.filter(pk=letter.pk).update(tries=tries, last_at=at, error=error[:200])
        else:
            audit.record("task.stuck", by="system:worker", at=at, about=letter, detail={"task": name[:80]})
    return letter


def _settle(letter: DeadLetter, *, outcome: str, note: str, by: User, at: datetime) -> None:
    changed = DeadLetter.objects.filter(pk=letter.pk, settled_at__isnull=True).update(
        settled_at=at, settled_by=by, outcome=outcome, note=note
    )
    if not changed:
        raise Conflict("Somebody has already dealt with this.")
    audit.record(
        f"stuck.{'tried_again' if outcome == 'again' else 'settled'}",
        by=by, at=at, about=letter, patient_id=letter.patient_id, detail={"name": letter.name[:80]},
    )  # fmt: skip


def try_letter_again(letter: DeadLetter, *, by: User, at: datetime) -> None:
    """Send the message, or begin the task, once more. Raises Conflict when somebody has dealt with it."""
    from notify.actions.promises import nudge, try_again

    with transaction.atomic():
        _settle(letter, outcome="again", note="", by=by, at=at)
        if letter.what == "message":
            message = OutboxMessage.objects.filter(pk=letter.key).first()
            if message is None or message.state != "failed":
                raise Conflict("This message is not waiting for a person any more. Reload the page.")
            try_again(message, by=by, at=at)
            nudge()
        else:
            from notify.poison import begin_again

            transaction.on_commit(lambda: begin_again(letter.name), robust=True)


def settle_letter(letter: DeadLetter, *, note: str, by: User, at: datetime) -> None:
    """It was dealt with in another way, which the note says. Raises Invalid without one."""
    if len(note.strip()) < 3:
        raise Invalid("Say in a sentence what was done.", fields={"note": "Say in a sentence what was done."})
    with transaction.atomic():
        _settle(letter, outcome="note", note=note.strip()[:2000], by=by, at=at)


def settle_letters_about(message: OutboxMessage, *, by: User, at: datetime) -> None:
    """The message goes again from the outbox: its letter is done."""
    for letter in DeadLetter.objects.filter(what="message", key=str(message.pk), settled_at__isnull=True):
        _settle(letter, outcome="again", note="", by=by, at=at)


def owner_left(*, user: User, by: Any, at: datetime) -> None:
    """An account closes or changes its role (hook `person.left`): its living letters go to the patient's coach, else to an administrator."""
    if user.is_active and user.role == Role.ADMINISTRATOR:
        return
    letters = list(DeadLetter.objects.select_for_update().filter(owner=user, settled_at__isnull=True))
    coaches, administrator = owners_for((letter.patient_id for letter in letters), at=at)
    for letter in letters:
        owner = coaches.get(letter.patient_id) or administrator
        if owner is not None and owner.pk != user.pk:
            DeadLetter.objects.filter(pk=letter.pk).update(owner=owner)
            audit.record(
                "letter.moved",
                by=by,
                at=at,
                about=letter,
                patient_id=letter.patient_id,
                detail={"to": str(owner.pk)},
            )
