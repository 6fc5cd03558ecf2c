"""PR-03, PR-04, PR-05: kill -9 at 200 random instants while people go on; then lost 0, doubled 0, late 0, stuck 0.

`FAULTS_SEED` repeats a run, `FAULTS_KILLS` sets how many; both are given to `make faults`, which runs this beside the other fault
tests and prints the report from var/faults/ at the end.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import ROOT, World
from tests.faults.ledger import counted
from tests.faults.storm import Storm

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.xdist_group("storm")]


def test_nothing_is_lost_doubled_late_or_stuck_in_a_storm(world: World) -> None:
    """PR-03, PR-04, PR-05."""
    seed = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    kills = int(os.environ.get("FAULTS_KILLS") or 200)
    try:
        report = Storm(world, seed=seed, kills=kills).run()
    finally:
        # Ledger, journal and the processes' own words, for whoever looks into a finding.
        kept = Path(ROOT) / "var" / "faults"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True, exist_ok=True)
        for name in ("ledger.jsonl", "journal.jsonl", "log"):
            if (world.folder / name).exists():
                shutil.copy(world.folder / name, kept / name)
    (kept / "report").write_text(f"{report}\n")
    assert sum(report.kills.values()) == kills
    assert report.trouble == []
    assert counted(report.findings) == {"lost": 0, "doubled": 0, "early": 0, "late": 0, "stuck": 0}, str(
        report
    )
    assert (
        min(report.intents[kind] for kind in ("crisis", "reading", "reminder", "booked", "taken", "leaver"))
        > 0
    )
