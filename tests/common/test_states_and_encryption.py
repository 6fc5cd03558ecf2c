"""States have one door; people's words are unreadable at rest; the test clock is refused in production."""

import datetime as dt
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.utils import IntegrityError, InternalError
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Patient
from common import encryption, protocol, states
from common.errors import Conflict, MoveNotAllowed, NotPermitted
from common.management.commands.clock import seconds_of
from common.models import ProtocolVersion, StateEvent

MOVES = {("draft", "approved"): "administrator", ("approved", "retired"): "administrator"}


def test_a_move_that_the_table_lacks_is_refused(
    protocol_version: ProtocolVersion, admin_ann: Any, at: dt.datetime
) -> None:
    with pytest.raises(MoveNotAllowed):
        states.move(protocol_version, "draft", moves=MOVES, by=admin_ann, at=at)


def test_of_two_moves_from_one_page_the_second_is_refused(
    protocol_version: Any, admin_ann: Any, at: dt.datetime
) -> None:
    """HZ-20."""
    stale = ProtocolVersion.objects.get(pk=protocol_version.pk)
    states.move(protocol_version, "retired", moves=MOVES, by=admin_ann, at=at, reasons=["superseded"])
    with pytest.raises(MoveNotAllowed):
        states.move(stale, "retired", moves=MOVES, by=admin_ann, at=at)
    event = StateEvent.objects.get(object_id=protocol_version.pk)
    assert (event.source, event.target, event.reasons, event.by) == (
        "approved", "retired", ["superseded"], f"user:{admin_ann.pk}",
    )  # fmt: skip


@given(st.text(max_size=300).filter(lambda text: text != ""))
def test_any_words_come_back_as_they_were(words: str) -> None:
    words = words.encode("utf-8", "ignore").decode() or "x"
    assert encryption.decrypt(encryption.encrypt(words, context="note"), context="note") == words


def test_a_value_moved_to_another_column_does_not_decrypt() -> None:
    with pytest.raises(InvalidTag):
        encryption.decrypt(encryption.encrypt("private", context="note"), context="address")


def test_an_address_is_unreadable_in_the_table_and_in_its_history(alice: Any) -> None:
    """HZ-21: signs survive; PR-14: nothing readable at rest."""
    Patient.objects.filter(pk=alice.pk).update(address="12 Elm <St> & 3 — 🏠 canary-address")
    with connection.cursor() as cursor:
        for table in ("accounts_patient", "accounts_patientevent"):
            cursor.execute(f"SELECT string_agg(address, ' ') FROM {table}")
            assert "canary" not in (cursor.fetchone()[0] or "")
    assert Patient.objects.get(pk=alice.pk).address == "12 Elm <St> & 3 — 🏠 canary-address"


def test_a_retired_key_still_reads_what_it_wrote(settings: Any) -> None:
    old = settings.FIELD_KEYS
    sealed = encryption.encrypt("before rotation", context="note")
    settings.FIELD_KEYS = "k9:bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0=," + old
    assert encryption.decrypt(sealed, context="note") == "before rotation"
    assert encryption.encrypt("after", context="note").startswith("k9:")


@pytest.mark.parametrize(
    ("text", "seconds"), [("7d", 604_800), ("1h30m", 5_400), ("90m", 5_400), ("2w", 1_209_600)]
)
def test_how_far_the_clock_moves(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 d", "7y"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        seconds_of(text)


def test_the_clock_is_refused_without_the_flag_and_in_production(settings: Any) -> None:
    settings.TEST_CLOCK = False
    with pytest.raises(CommandError, match="HEARTHSIDE_TEST_CLOCK"):
        call_command("clock", "--advance", "7d")
    settings.TEST_CLOCK, settings.PRODUCTION = True, True
    with pytest.raises(CommandError, match="production"):
        call_command("clock", "--advance", "7d")


def test_the_proposer_of_a_protocol_cannot_approve_it(
    admin_ann: Any, admin_ben: Any, at: dt.datetime
) -> None:
    """HZ-28."""
    draft = protocol.propose(version="v2", data={"bp": {}}, by=admin_ann, at=at)
    with pytest.raises(NotPermitted):
        protocol.approve(draft, by=admin_ann, at=at)
    with pytest.raises(IntegrityError):
        ProtocolVersion.objects.filter(pk=draft.pk).update(
            state="approved", approved_by=admin_ann, approved_at=at
        )


def test_the_numbers_of_an_approved_protocol_never_change(protocol_version: ProtocolVersion) -> None:
    """HZ-28."""
    with pytest.raises(InternalError):
        ProtocolVersion.objects.filter(pk=protocol_version.pk).update(data={"bp": {"pre": "anything"}})


def test_without_an_approved_protocol_nothing_is_decided(db: None, at: dt.datetime) -> None:
    with pytest.raises(Conflict):
        protocol.current(at=at)
