"""Recording a reading: what is kept, what it means, who is called."""

import datetime as dt

import pytest
from django.db import DatabaseError, transaction

from accounts.models import Patient
from common.errors import Invalid
from common.models import AuditEntry
from notify.models import OutboxMessage
from safety.models import Alert, SafetyHold
from vitals.access import average_of, recent_readings
from vitals.actions import record_reading
from vitals.models import Reading

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(alice, protocol_version):
    return Patient.objects.get(pk=alice.pk)


def take(patient, at, systolic=118, diastolic=76, pulse=70, **more):
    given = {"taken_at": at, "source": "patient", "by": patient.user, "at": at, **more}
    return record_reading(
        patient=patient, systolic_mmhg=systolic, diastolic_mmhg=diastolic, pulse_bpm=pulse, **given
    )


@pytest.mark.parametrize(
    ("systolic", "diastolic", "band", "verdict"),
    [
        (139, 89, "go", "go"), (140, 80, "caution", "hold"), (141, 80, "caution", "hold"), (120, 90, "caution", "hold"),
        (159, 99, "caution", "hold"), (160, 80, "high", "no_dose"), (120, 100, "high", "no_dose"), (179, 119, "high", "no_dose"),
        (180, 80, "crisis", "no_dose"), (150, 45, "low", "hold"), (165, 48, "high", "no_dose"), (89, 60, "low", "hold"),
    ],
)  # fmt: skip
def test_a_reading_gets_its_band_and_its_meaning(patient, at, systolic, diastolic, band, verdict):
    recorded = take(patient, at, systolic, diastolic)
    assert (recorded.band, recorded.verdict) == (band, verdict)


def test_the_claimed_time_is_kept_apart_from_the_servers(patient, at):
    """HZ-02, TM-07"""
    reading = take(patient, at, taken_at=at - dt.timedelta(days=1)).reading
    assert (reading.taken_at, reading.received_at) == (at - dt.timedelta(days=1), at)


def test_an_implausible_reading_is_kept_as_rejected_and_the_second_in_a_row_goes_to_a_clinician(patient, at):
    first = take(patient, at, 120, 120)
    assert first.reading.rejected and first.reading.rejected_reason == "implausible" and first.alert is None
    second = take(patient, at + dt.timedelta(minutes=1), 300, 90)
    assert second.alert is not None and second.alert.trigger == "X04"
    assert Reading.objects.filter(rejected=True).count() == 2


def test_a_good_reading_between_two_implausible_ones_starts_anew(patient, at):
    take(patient, at, 120, 120)
    take(patient, at + dt.timedelta(minutes=1))
    assert take(patient, at + dt.timedelta(minutes=2), 120, 120).alert is None


def test_a_very_high_reading_is_never_dropped(patient, at):
    recorded = take(patient, at, 255, 150)
    assert recorded.band == "crisis" and not recorded.reading.rejected and recorded.alert is not None


def test_hz_08_a_crisis_reading_pages_holds_and_leaves_its_trace_in_one_transaction(patient, at):
    with pytest.raises(RuntimeError), transaction.atomic():
        take(patient, at, 185, 100)
        raise RuntimeError("the process dies here")
    assert not Reading.objects.exists() and not Alert.objects.exists() and not OutboxMessage.objects.exists()
    recorded = take(patient, at, 185, 100)
    assert recorded.alert is not None and recorded.alert.severity == 4
    assert SafetyHold.objects.filter(patient=patient, cleared_at__isnull=True).count() == 1
    assert OutboxMessage.objects.filter(lane="crisis").exists()


@pytest.mark.parametrize(("pulse", "called"), [(39, True), (40, False), (120, False), (121, True)])
def test_a_pulse_outside_40_to_120_calls_the_person_on_call(patient, at, pulse, called):
    assert (take(patient, at, pulse=pulse).alert is not None) is called


def test_numbers_of_four_digits_are_refused_by_name(patient, at):
    with pytest.raises(Invalid) as error:
        take(patient, at, 1180)
    assert "systolic_mmhg" in error.value.fields


def test_a_reading_is_never_edited_nor_deleted(patient, at):
    reading = take(patient, at).reading
    for change in (
        lambda: Reading.objects.filter(pk=reading.pk).update(systolic_mmhg=110),
        lambda: Reading.objects.filter(pk=reading.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_every_reading_leaves_an_audit_row(patient, at):
    reading = take(patient, at).reading
    row = AuditEntry.objects.get(object_id=str(reading.pk))
    assert row.action == "reading.recorded" and row.patient_id == patient.pk and row.detail["band"] == "go"


def test_two_readings_are_averaged_and_the_newest_come_first(patient, at):
    take(patient, at, 120, 80)
    take(patient, at + dt.timedelta(minutes=2), 124, 82)
    found = recent_readings(patient)
    assert [r.systolic_mmhg for r in found] == [124, 120]
    mean = average_of(found)
    assert (mean.systolic_mmhg, mean.diastolic_mmhg) == (122, 81)
