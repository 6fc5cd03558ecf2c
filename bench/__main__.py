"""Run every benchmark, print the table, write var/bench.jsonl. `python -m bench reading_api queue` runs those that begin so."""

import contextlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["HEARTHSIDE_BENCH"] = "1"
# Measured in this process, like all of bench/reminders.py.
WITHOUT_A_SERVER = ("reminder_tick_100k", "reminder_dispatch", "screen_vs_csv", "rules_vs_pk_select")


def main(wanted: list[str]) -> int:
    """Exit code 1 when a figure misses its bar."""
    import django

    django.setup()
    from django.core.management import call_command

    from bench.crisis import CRISIS
    from bench.figures import BENCHMARKS, Figure
    from bench.reminders import REMINDERS
    from bench.server import a_practice, serving
    from bench.slots import SLOTS

    call_command("migrate", verbosity=0)
    practice = a_practice()
    figures: list[Figure] = []
    with contextlib.ExitStack() as stack:
        for name, run in {**BENCHMARKS, **SLOTS, **REMINDERS, **CRISIS}.items():
            if wanted and not any(name.startswith(word) for word in wanted):
                continue
            if not practice.port and name not in {*REMINDERS, *WITHOUT_A_SERVER}:
                root = Path(os.environ.get("HEARTHSIDE_ROOT", Path.cwd()))
                practice.port = stack.enter_context(serving(root))
            for figure in run(practice):
                figures.append(figure)
                print(figure.line(), flush=True)
    out = Path.cwd() / "var" / "bench.jsonl"
    out.parent.mkdir(exist_ok=True)
    out.write_text("".join(json.dumps(figure.as_dict()) + "\n" for figure in figures))
    print(f"\nWritten to {out.relative_to(Path.cwd())}")
    return 1 if any(figure.ok is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
