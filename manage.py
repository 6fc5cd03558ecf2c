#!/usr/bin/env python
"""Django's command line for Hearthside."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["screen"]:
        # Needs no settings, no database and no app, and starts ten times sooner without them.
        from intake.screening.command import main as screen

        status = screen(sys.argv[2:])
        if status is not None:
            sys.exit(status)
    from runner import checkout

    checkout.join()
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        checkout.use_own_python()
        raise

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
