"""The verbs of secure messages: write, answer, take, hand over, look at what words asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Patient, Role, User
from coaching import message_access as access
from coaching import states
from coaching.models import Message, MessageDraft, MessageFile, MessageRead, MessageThread
from coaching.rules.messages import IN_SESSION, Asked, Match, match
from common import audit
from common.errors import Conflict, Invalid, NotPermitted, StaleVersion
from common.files import IMAGES_AND_PDFS, accept_upload, clean_name
from common.states import move, opened
from notify.actions import cancel_for, promise
from safety.access import trigger_of
from safety.actions import place_hold, raise_alert
from safety.models import Alert
from sessions.access import under_the_medicine

KIND = "secure_message"
TWIN_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Sent:
    """What was kept, and what the page must show on the same response (HZ-29)."""

    thread: MessageThread
    message: Message
    found: Match = field(default_factory=Match)
    triggers: tuple[str, ...] = ()
    after_hours: bool = False

    @property
    def needs_prompt(self) -> bool:
        return self.found.urgency > 0 or self.after_hours


# --- writing ---


def open_thread(
    patient: Patient, *, topic: str, body: str, uploads: Iterable[Any] = (), by: User, at: datetime
) -> Sent:
    """A new conversation: by the patient, who awaits an answer, or by somebody of the care team.

    Raises Invalid for a topic that is not on the list, an empty or too long message, too many files or a file that is not taken.
    """
    data = access.numbers(at=at)
    if topic not in {row["code"] for row in data["topics"]}:
        raise Invalid("Choose what it is about.", fields={"topic": "Choose what it is about."})
    text = _clean(body, data)
    is_patient = by.pk == patient.pk
    if not is_patient and by.role not in access.CLINICAL:
        raise NotPermitted("Only the care team writes to a patient.")
    files = list(uploads)
    with transaction.atomic():
        # One at a time for each patient, so that two windows cannot both be the first.
        Patient.objects.select_for_update().only("pk").get(pk=patient.pk)
        newest = Message.objects.filter(
            author=by, thread__patient=patient, thread__topic=topic, thread__opened_by=by
        )
        twin = _sent_already(newest, text, files, data=data, by=by, at=at)
        if twin is not None:
            return twin
        thread = MessageThread.objects.create(
            patient=patient,
            topic=topic,
            role=access.topic_of(topic, data=data)["role"],
            state=states.WAITING if is_patient else states.ANSWERED,
            opened_at=at,
            opened_by=by,
            last_at=at,
            waiting_since_at=at if is_patient else None,
            due_at=access.promised_by(topic, at=at, data=data) if is_patient else None,
        )
        opened(thread, thread.state, by=by, at=at)
        audit.record(
            "messages.opened", by=by, at=at, about=thread, patient_id=patient.pk, detail={"topic": topic}
        )
        thread.patient = patient
        sent = _add(thread, text, files, data=data, by=by, at=at)
        MessageDraft.objects.filter(author=by, patient=patient, thread=None).delete()
    return sent


def write(thread: MessageThread, *, body: str, uploads: Iterable[Any] = (), by: User, at: datetime) -> Sent:
    """One more message. The patient's makes the conversation wait (the first promise stands), the care team's answers it.

    A clinician's answer also ends the look that words had asked for. Raises Invalid like `open_thread`.
    """
    data = access.numbers(at=at)
    text, files = _clean(body, data), list(uploads)
    with transaction.atomic():
        current = _locked(thread)
        if by.pk != current.patient_id and by.role not in access.CLINICAL:
            raise NotPermitted("Only the patient and the care team write here.")
        twin = _sent_already(current.messages.all(), text, files, data=data, by=by, at=at)
        if twin is not None:
            return twin
        if by.pk == current.patient_id:
            if not current.is_waiting:
                move(
                    current,
                    states.WAITING,
                    moves=states.THREAD_MOVES,
                    by=by,
                    at=at,
                    waiting_since_at=at,
                    due_at=access.promised_by(current.topic, at=at, data=data),
                )
        else:
            _settle(current, by=by, at=at, how="answered")
        sent = _add(current, text, files, data=data, by=by, at=at)
        MessageDraft.objects.filter(author=by, patient_id=current.patient_id, thread=current).delete()
    return sent


def _locked(thread: MessageThread) -> MessageThread:
    return (
        MessageThread.objects.select_for_update(of=("self",))
        .select_related(
            "patient__user", "patient__care_team__coach", "patient__care_team__psychiatrist", "taken_by"
        )
        .get(pk=thread.pk)
    )


def _clean(body: str, data: dict[str, Any]) -> str:
    text = body.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise Invalid("Write a message first.", fields={"body": "Write a message first."})
    if len(text) > data["longest_letters"]:
        said = (
            f"This is longer than one message can be ({data['longest_letters']:,} letters). Send it in two."
        )
        raise Invalid(said, fields={"body": said})
    return text


def _add(
    thread: MessageThread,
    text: str,
    files: list[Any],
    *,
    data: dict[str, Any],
    by: User,
    at: datetime,
) -> Sent:
    """Keep the message and its files, tell whoever it is for, and act on its words; all or nothing."""
    if len(files) > data["most_files"]:
        said = f"Send {data['most_files']} files at most with one message."
        raise Invalid(said, fields={"files": said})
    from_patient = by.pk == thread.patient_id
    found = match(text, numbers=data) if from_patient else Match()
    message = Message.objects.create(
        thread=thread, author=by, body=text, flags=list(found.categories) or None, sent_at=at
    )
    for position, upload in enumerate(files):
        stored = accept_upload(upload, kinds=IMAGES_AND_PDFS, by=by, at=at)
        name = clean_name(upload.name, stored.media_type)
        MessageFile.objects.create(message=message, file=stored, name=name, position=position)
    MessageThread.objects.filter(pk=thread.pk).update(last_at=at)
    thread.last_at = at
    audit.record(
        "message.sent",
        by=by,
        at=at,
        about=message,
        patient_id=thread.patient_id,
        detail={"files": len(files)},
    )
    if not from_patient:
        _tell(thread.patient.user, thread, message, at=at)
        return Sent(thread, message)
    _tell(access.answerer_of(thread, at=at), thread, message, at=at)
    asked = access.asked(found, patient=thread.patient, topic=thread.topic, at=at, data=data)
    _act_on(thread, message, asked, data=data, by=by, at=at)
    return Sent(thread, message, found, asked.triggers, asked.after_hours)


def _sent_already(
    rows: QuerySet[Message], text: str, files: list[Any], *, data: dict[str, Any], by: User, at: datetime
) -> Sent | None:
    """The message before this one, when it is the same words of the same person with as many files a moment ago: sent from a
    second window.

    Words that call somebody are the same message only for as long as they are calling: said again after somebody has looked,
    taken the alert or closed it, they are said anew (HZ-29).
    """
    last = rows.select_related("thread__patient").order_by("-sent_at", "-id").first()
    if last is None or last.author_id != by.pk or last.sent_at < at - TWIN_WITHIN or last.body != text:
        return None
    if last.files.count() != len(files):
        return None
    if by.pk != last.thread.patient_id:
        return Sent(last.thread, last)
    found = match(text, numbers=data)
    asked = access.asked(found, patient=last.thread.patient, topic=last.thread.topic, at=at, data=data)
    if (asked.urgency or asked.triggers) and not _still_calling(last, asked, at=at):
        return None
    return Sent(last.thread, last, found, asked.triggers, asked.after_hours)


def _still_calling(message: Message, asked: Asked, *, at: datetime) -> bool:
    """Whether what these words set off when they were sent still stands: the look, and each alert, which nobody has yet."""
    if message.thread.urgency < asked.urgency:
        return False
    episodes = {trigger_of(trigger, at=at)["episode"] for trigger in asked.triggers}
    open_ones = Alert.objects.filter(
        patient_id=message.thread.patient_id, episode_key__in=episodes, state=Alert.State.OPEN,
        opened_at__lte=message.sent_at,
    )  # fmt: skip
    return open_ones.count() == len(episodes)


def _tell(person: User, thread: MessageThread, message: Message, *, at: datetime) -> None:
    """A note that something is there, without a word of it; taken back when it is read before it goes."""
    promise(
        KIND,
        to=person,
        channel="email",
        context={"path": "/messages/"},
        due_at=at,
        at=at,
        about=message,
        patient=thread.patient,
        dedupe_key=f"secure_message:{message.pk}:{person.pk}",
    )


# --- what words ask for ---


def _act_on(
    thread: MessageThread, message: Message, asked: Asked, *, data: dict[str, Any], by: User, at: datetime
) -> None:
    """The short clock of a look, and the alerts: of crisis words, of a running session (X07), of a side effect after hours (X23)."""
    alerts = [_sound(thread, trigger, source=message, by=by, at=at) for trigger in asked.triggers]
    if asked.urgency:
        minutes = data["triage_minutes"][str(asked.urgency)]
        by_at = at + timedelta(minutes=minutes)
        if thread.urgency and thread.triage_by_at is not None:
            by_at = min(by_at, thread.triage_by_at)
        _flag(thread, max(asked.urgency, thread.urgency), by_at, alerts)
        audit.record(
            "message.flagged",
            by="system:coaching",
            at=at,
            about=thread,
            patient_id=thread.patient_id,
            detail={"urgency": asked.urgency, "triggers": list(asked.triggers)},
        )


def _flag(thread: MessageThread, urgency: int, by_at: datetime, alerts: list[Alert]) -> None:
    gravest = max(alerts, key=lambda alert: alert.severity, default=None)
    thread.urgency, thread.triage_by_at = urgency, by_at
    thread.triaged_at = thread.triaged_by = None
    thread.alert = gravest or thread.alert
    thread.save(update_fields=["urgency", "triage_by_at", "triaged_at", "triaged_by", "alert"])


def _sound(
    thread: MessageThread,
    trigger: str,
    *,
    source: Message,
    by: User,
    at: datetime,
    severity: int | None = None,
    codes: Iterable[str] = (),
) -> Alert:
    """Tell the on-call that a message needs triage, and hold what the protocol's row holds."""
    alert = raise_alert(
        patient=thread.patient,
        trigger=trigger,
        source=source,
        at=at,
        by=by,
        severity=severity,
        detail_codes=("message_in_session" if trigger == IN_SESSION else "message_needs_triage", *codes),
        in_session=under_the_medicine(thread.patient),
    )
    hold = trigger_of(trigger, at=at).get("hold")
    if hold:
        place_hold(thread.patient, reason_code=hold, at=at, by=by, alert=alert)
    return alert


def say_emergency(thread: MessageThread, *, answer: str, by: User, at: datetime) -> Alert | None:
    """The patient's own answer to "Is this an emergency now?": `now`, `soon` or `no`.

    `now` pages afresh at the gravest severity. `no` is kept and takes nothing back: a person still looks.
    """
    if by.pk != thread.patient_id:
        raise NotPermitted("Only the patient answers this.")
    if answer not in ("now", "soon", "no"):
        raise Invalid("Choose one.", fields={"answer": "Choose one."})
    data = access.numbers(at=at)
    with transaction.atomic():
        current = _locked(thread)
        audit.record(
            "message.emergency_said",
            by=by,
            at=at,
            about=current,
            patient_id=current.patient_id,
            detail={"answer": answer},
        )
        if answer != "now":
            return None
        newest = current.messages.filter(author=by).order_by("-sent_at", "-id").first()
        if newest is None:
            raise Conflict("There is no message yet.")
        flags = newest.flags or []
        row = next((row for row in data["words"] if row["category"] in flags), None)
        trigger = row["emergency_trigger"] if row is not None else "X01"
        alert = _sound(current, trigger, source=newest, by=by, at=at, severity=4, codes=("said_emergency",))
        _flag(current, 2, at + timedelta(minutes=data["triage_minutes"]["2"]), [alert])
    return alert


# --- the care team ---


def _settle(thread: MessageThread, *, by: User, at: datetime, how: str) -> None:
    """The conversation waits no longer, and a person has looked at what words asked for."""
    if thread.is_waiting:
        move(
            thread,
            states.ANSWERED,
            moves=states.THREAD_MOVES,
            by=by,
            at=at,
            reasons=[how],
            waiting_since_at=None,
            due_at=None,
        )
    if thread.urgency:
        _end_look(thread, by=by, at=at, how=how)


def _end_look(thread: MessageThread, *, by: User, at: datetime, how: str) -> None:
    thread.urgency, thread.triage_by_at = 0, None
    thread.triaged_at, thread.triaged_by = at, by
    thread.save(update_fields=["urgency", "triage_by_at", "triaged_at", "triaged_by"])
    audit.record(
        "message.triaged", by=by, at=at, about=thread, patient_id=thread.patient_id, detail={"how": how}
    )


def _clinician(by: User) -> None:
    if by.role not in access.CLINICAL:
        raise NotPermitted("Only the care team does this.")


def look_done(thread: MessageThread, *, by: User, at: datetime) -> MessageThread:
    """A clinician has read what words asked for and done what it needs; the answer may still follow.

    An alert that was raised with it has its own life and is closed on its own page. Raises Conflict when nothing asks any more.
    """
    _clinician(by)
    with transaction.atomic():
        current = _locked(thread)
        if not current.urgency:
            raise Conflict("Somebody has already looked at this.")
        _end_look(current, by=by, at=at, how="looked_at")
    return current


def no_answer_needed(thread: MessageThread, *, by: User, at: datetime) -> MessageThread:
    """A thank-you needs no answer: the conversation waits no longer, and the patient sees who said so. Not while a look is asked."""
    _clinician(by)
    with transaction.atomic():
        current = _locked(thread)
        if not current.is_waiting:
            raise Conflict("This waits for no answer any more.")
        if current.urgency:
            raise Conflict("Look at what this message asks for first.")
        _settle(current, by=by, at=at, how="no_answer_needed")
        audit.record("messages.no_answer_needed", by=by, at=at, about=current, patient_id=current.patient_id)
    return current


def take(thread: MessageThread, *, by: User, at: datetime) -> MessageThread:
    """A clinician answers this one from now on."""
    return hand_over(thread, to=by, by=by, at=at)


def hand_over(thread: MessageThread, *, to: User, by: User, at: datetime) -> MessageThread:
    """Give a conversation to a clinician who works here; somebody outside the care team sees it from then on.

    Raises Invalid for somebody who cannot have it.
    """
    if not to.is_active or to.role not in access.CLINICAL:
        raise Invalid("Choose a clinician or coach who works here.", fields={"to": "Choose somebody."})
    if by.role not in (*access.CLINICAL, Role.ADMINISTRATOR):
        raise NotPermitted("Only the care team does this.")
    with transaction.atomic():
        current = _locked(thread)
        team = getattr(current.patient, "care_team", None)
        members = {team.coach_id, team.psychiatrist_id} if team is not None else set()
        current.taken_by, current.handed_over = to, to.pk not in members
        current.taken_at = at
        current.save(update_fields=["taken_by", "taken_at", "handed_over"])
        audit.record(
            "messages.handed_over",
            by=by,
            at=at,
            about=current,
            patient_id=current.patient_id,
            detail={"to": str(to.pk), "outside_the_team": current.handed_over},
        )
        newest = current.messages.order_by("-sent_at", "-id").first()
        if to.pk != by.pk and newest is not None:
            _tell(to, current, newest, at=at)
    return current


# --- reading ---


def mark_read(thread: MessageThread, messages: Iterable[Message], *, by: User, at: datetime) -> int:
    """These messages were on this person's screen. The first time is kept; notes about them that wait are taken back."""
    reads = [
        MessageRead(message=message, person=by, read_at=at)
        for message in messages
        if message.author_id != by.pk and all(read.person_id != by.pk for read in message.reads.all())
    ]
    with transaction.atomic():
        if by.pk != thread.patient_id:
            audit.record("messages.read", by=by, at=at, about=thread, patient_id=thread.patient_id)
        if reads:
            MessageRead.objects.bulk_create(reads, ignore_conflicts=True)
            for read in reads:
                # What goes to somebody else about the same message stays.
                if by.pk == thread.patient_id or access.answerer_of(thread, at=at).pk == by.pk:
                    cancel_for(read.message, kinds=[KIND], at=at, why="read")
    return len(reads)


# --- drafts ---


def keep_draft(
    patient: Patient,
    *,
    thread: MessageThread | None = None,
    topic: str = "",
    body: str,
    version: int,
    by: User,
    at: datetime,
) -> MessageDraft:
    """What somebody has written so far. `version` is the one their page has seen (0: none); another window's newer one is a
    StaleVersion, so that no window writes over another's words."""
    data = access.numbers(at=at)
    text = body.replace("\0", "")[: data["longest_letters"]]
    with transaction.atomic():
        row = (
            MessageDraft.objects.select_for_update().filter(author=by, patient=patient, thread=thread).first()
        )
        if row is None:
            MessageDraft.objects.bulk_create(
                [
                    MessageDraft(
                        author=by, patient=patient, thread=thread, topic=topic[:12], body=text, updated_at=at
                    )
                ],
                ignore_conflicts=True,
            )
            return MessageDraft.objects.get(author=by, patient=patient, thread=thread)
        if row.version != version and (row.body, row.topic) != (text, topic[:12]):
            raise StaleVersion("This message was changed in another window. Reload to see it.")
        row.topic, row.body, row.version, row.updated_at = topic[:12], text, row.version + 1, at
        row.save(update_fields=["topic", "body", "version", "updated_at"])
    return row
