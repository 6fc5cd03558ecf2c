"""The practice's own words: tried before they are kept, versioned, refused with a sentence, and never in the way of a message."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from accounts.models import User
from common.errors import Conflict, Invalid, NotPermitted
from common.models import AuditEntry
from notify.actions import dispatch_crisis, dispatch_due, promise
from notify.actions.words import default_source, forbidden_words, restore_default, worded, write_words
from notify.models import MessageWording, SandboxDelivery

GOOD = "{{ practice_name }}: we see you soon, {{ when }}. Your list: {{ link }}"


def write(by: User, at: datetime, body: str = GOOD, **changes: Any) -> MessageWording:
    given = {"template": "session_tomorrow", "channel": "sms", "language": "en", "note": "warmer", **changes}
    return write_words(body=body, by=by, at=at, **given)


def sent_words(user: User, at: datetime, channel: str = "sms") -> str:
    promise(
        "session_tomorrow", to=user, channel=channel, due_at=at, at=at,
        context={"when": at + timedelta(days=1), "link": "https://care.example/x", "first_name": "Alice"},
    )  # fmt: skip
    dispatch_due(at=at)
    return SandboxDelivery.objects.latest("id").body


def test_own_words_go_in_their_language_and_channel_and_nowhere_else(
    alice: User, admin_ann: User, at: datetime
) -> None:
    write(admin_ann, at)
    assert sent_words(alice, at).startswith(
        "Hearthside: we see you soon, Tuesday, November 24 at 9:00 am PST."
    )
    assert "Moving it is free of charge" in sent_words(alice, at, "email")
    User.objects.filter(pk=alice.pk).update(language="es")
    assert "nos vemos mañana, el martes 24 de noviembre" in sent_words(User.objects.get(pk=alice.pk), at)


def test_each_change_is_a_version_with_author_and_time_and_the_files_words_come_back(
    alice: User, admin_ann: User, admin_ben: User, at: datetime
) -> None:
    write(admin_ann, at)
    write(admin_ben, at + timedelta(hours=1), body="{{ practice_name }}: tomorrow, {{ when }}. {{ link }}")
    restore_default(
        template="session_tomorrow", channel="sms", language="en", by=admin_ann, at=at + timedelta(hours=2)
    )
    rows = list(MessageWording.objects.order_by("version"))
    assert [(r.version, r.written_by, r.replaced_at is None, bool(r.body)) for r in rows] == [
        (1, admin_ann, False, True), (2, admin_ben, False, True), (3, admin_ann, True, False),
    ]  # fmt: skip
    assert "see you tomorrow" in sent_words(alice, at)
    assert AuditEntry.objects.filter(action__in=["words.written", "words.restored"]).count() == 3
    with pytest.raises(Conflict):
        restore_default(template="session_tomorrow", channel="sms", language="en", by=admin_ann, at=at)


def test_no_version_is_rewritten_or_deleted(admin_ann: User, at: datetime) -> None:
    row = write(admin_ann, at)
    for change in (
        lambda: MessageWording.objects.filter(pk=row.pk).update(body="other"),
        lambda: MessageWording.objects.filter(pk=row.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "Write the words"),
        ("Hello {{ practice_name", "cannot be read as a message"),
        ("{{ practice_name }} {% if drill %}x", "cannot be read as a message"),
        ("{{ practice_name }}: hello {{ diagnosis }}", "does not know diagnosis. It knows: first_name, link, practice_name"),
        ("{{ practice_name }}: {{ begins_words }}", "does not know begins_words"),
        ("{{ practice_name }}: your ketamine is ready", "what kind of care this is. Leave out: ketamin"),
        ("{{ practice_name }}: su medicina", "Leave out: medicin"),
        ("{{ practice_name }}: " + "a" * 700, "5 parts; 4 is the most"),
        ("{{ practice_name }}: " + "ó" * 300, "parts; 4 is the most"),
        ("See you soon {{ link }}", "put {{ practice_name }} into it"),
        ("{{ practice_name.__class__ }}", "Only words"),
        ("{{ practice_name }} {% for x in link %}{{ x }}{% endfor %}", "Only words"),
        ("{{ practice_name }} {% include 'en/session_today.sms.txt' %}", "Only words"),
        ("{{ practice_name }} {% set x = 1 %}", "Only words"),
        ("{{ practice_name }} {{ link.upper() }}", "Only words"),
        ("{{ practice_name }} {{ link|attr('x') }}", "Only words"),
        ("{{ practice_name }} {{ 'a' * 999999999 }}", "Only words"),
        ("{{ practice_name }} {{ 7 ** 999999 }}", "Only words"),
        ("{{ practice_name }}" + "a" * 9000, "far too long"),
    ],
)  # fmt: skip
def test_words_that_may_not_be_kept_are_refused_with_a_sentence(
    admin_ann: User, at: datetime, body: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as refused:
        write(admin_ann, at, body=body)
    assert sentence in refused.value.fields["body"]
    assert not MessageWording.objects.exists()


def test_a_subject_follows_the_same_rules_and_a_text_has_none(admin_ann: User, at: datetime) -> None:
    mail = {"channel": "email", "body": "Hello {{ first_name }}, {{ when }} {{ link }}"}
    for subject in ("Your dose", "{{ nobody }}", "", "x" * 121):
        with pytest.raises(Invalid) as refused:
            write(admin_ann, at, **mail, subject=subject)
        assert refused.value.fields["subject"]
    with pytest.raises(Invalid):
        write(admin_ann, at, subject="For a text")
    assert write(admin_ann, at, **mail, subject="See you, {{ first_name }}").version == 1


def test_pages_of_the_crisis_lane_and_unknown_messages_keep_their_words(
    admin_ann: User, at: datetime
) -> None:
    for template in ("crisis_page", "no_such_message", "../../config/settings"):
        with pytest.raises(Invalid):
            write(admin_ann, at, template=template, body="{{ practice_name }}: hello")


def test_nobody_but_an_administrator_writes_words(cole: User, dana: User, alice: User, at: datetime) -> None:
    for person in (cole, dana, alice):
        with pytest.raises(NotPermitted):
            write(person, at)


def test_every_default_may_be_kept_as_own_words(admin_ann: User, at: datetime) -> None:
    """What the check allows is at least what the files do."""
    for template, channel in sorted(worded()):
        if template in ("crisis_page", "handover_offered") or "{% for" in default_source(
            template, channel, "en"
        ):
            continue
        for language in ("en", "es"):
            subject = default_source(template, "subject", language) if channel == "email" else ""
            write(
                admin_ann, at, body=default_source(template, channel, language), template=template, channel=channel,
                language=language, subject=subject,
            )  # fmt: skip


def test_own_words_that_no_longer_fit_never_hold_up_a_message(
    alice: User, admin_ann: User, at: datetime
) -> None:
    """A name that a new release dropped: the file's words go."""
    MessageWording.objects.create(
        template="session_tomorrow", channel="sms", language="en", version=1, body="{{ gone }} {{ practice_name }}", written_at=at,
        written_by=admin_ann,
    )  # fmt: skip
    assert "see you tomorrow" in sent_words(alice, at)


def test_the_crisis_lane_never_reads_own_words(dana: User, admin_ann: User, at: datetime) -> None:
    MessageWording.objects.create(
        template="crisis_page", channel="sms", language="en", version=1, body="{{ gone }}", written_at=at, written_by=admin_ann
    )  # fmt: skip
    promise(
        "crisis_page", to=dana, channel="sms", lane="crisis", due_at=at, at=at,
        context={"link": "https://care.example/x", "reference": "A1", "notice_number": 1, "drill": False},
    )  # fmt: skip
    assert dispatch_crisis(at=at).sent == 1
    assert "a person needs you now" in SandboxDelivery.objects.get().body


def test_the_administration_refuses_with_the_sentence_and_keeps_what_is_good(
    client_for: Any, admin_ann: User
) -> None:
    client = client_for(admin_ann)
    add = "/admin/notify/messagewording/add/"
    page = client.get(f"{add}?template=session_tomorrow&channel=sms&language=es").content.decode()
    assert "nos vemos mañana" in page and "first_name, link, practice_name" in page
    form = {
        "template": "session_tomorrow",
        "channel": "sms",
        "language": "en",
        "subject": "",
        "note": "warmer",
    }
    refused = client.post(add, {**form, "body": "{{ practice_name }}: your ketamine"})
    assert refused.status_code == 200 and "Leave out: ketamin" in refused.content.decode()
    assert not MessageWording.objects.exists()
    assert client.post(add, {**form, "body": GOOD}).status_code == 302
    assert MessageWording.objects.get().written_by == admin_ann
    row = MessageWording.objects.get()
    seen = client.get(f"/admin/notify/messagewording/{row.pk}/change/").content.decode()
    assert "we see you soon" in seen and 'name="body"' not in seen
    assert client.post(add, {**form, "body": ""}).status_code == 302
    assert MessageWording.objects.count() == 2
    again = client.post(add, {**form, "body": ""})
    assert again.status_code == 200 and "in force already" in again.content.decode()


def test_the_catalogue_shows_default_and_own_words_of_each_language_and_channel(
    client_for: Any, admin_ann: User, cole: User, at: datetime, query_budget: Any
) -> None:
    write(admin_ann, at)
    client = client_for(admin_ann)
    client.get("/outbox/catalogue/")
    with query_budget(16):
        page = client.get("/outbox/catalogue/").content.decode()
    assert "we see you soon" in page and "see you tomorrow" in page and "nos vemos mañana" in page
    assert "Text, English: your own words, version 1" in page and "Ann Whitfield" in page
    assert "messagewording/add/" in page
    assert "messagewording/add/" not in client_for(cole).get("/outbox/catalogue/").content.decode()


def test_there_is_one_list_of_forbidden_words() -> None:
    assert len(forbidden_words()) > 50
