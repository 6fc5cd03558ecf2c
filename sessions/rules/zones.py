"""Whose clock a dosing day goes by: that of the state the person is in. She may change her own zone; she cannot change the state's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def zone_of(state: str, own: str, zones: Mapping[str, Sequence[str]]) -> str:
    """The zone of that state: the person's own where the state has it, else the state's usual one. A state nobody knows: her own."""
    found = zones.get(state, ())
    return own if not found or own in found else found[0]
