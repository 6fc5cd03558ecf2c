"""Run by `up` under the virtual environment's Python: tables up to date, and the demo practice on the first start.

One process for all of it, because starting Django takes longer than the work itself on every start but the first.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

# Everything is ready but for the made-up people.
WITHOUT_DEMO = 3


def main() -> int:
    """Migrate, then seed once."""
    root = Path(__file__).resolve().parent.parent
    # A script's own folder comes first on the path; our modules must not be found there by bare name.
    sys.path[0] = str(root)
    os.chdir(root)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

    import django
    from django.contrib.auth import get_user_model
    from django.core.management import call_command, get_commands

    django.setup()
    call_command("migrate", interactive=False, verbosity=1)
    run = Path(os.environ.get("HEARTHSIDE_VAR") or root / "var") / "run"
    seeding, seeded = run / "seeding", run / "seeded"
    whole = True
    wanted = os.environ.get("HEARTHSIDE_DEMO", "1") == "1"
    if wanted and not seeded.exists() and "seed" in get_commands():
        # A server named by DATABASE_URL may hold a practice already; made-up people have no business there.
        if not get_user_model()._default_manager.exists():
            if os.environ.get("HEARTHSIDE_OWN_POSTGRES"):
                seeding.touch()
            whole = _seed()
            seeding.unlink(missing_ok=True)
        seeded.touch()
    return 0 if whole else WITHOUT_DEMO


def _seed() -> bool:
    """Load the demo practice; a site without made-up people is better than no site."""
    from django.core.management import call_command

    try:
        call_command("seed", "--demo")
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
