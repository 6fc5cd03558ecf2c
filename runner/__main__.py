"""The door: refuse an old Python in one sentence, then hand over to `runner.cli`.

This file alone must also parse under Pythons too old for the rest, so it holds no modern syntax.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NEWER = ("python3.11", "python3.12", "python3.13", "python3.14")


def main() -> int:
    """Run the command line, on a newer Python of this machine when the one at hand is too old."""
    if sys.version_info[:2] < OLDEST:
        for name in NEWER:
            found = shutil.which(name)
            if found and not os.environ.get("HEARTHSIDE_REEXEC"):
                os.environ["HEARTHSIDE_REEXEC"] = "1"
                os.execv(found, [found, "-m", "runner"] + sys.argv[1:])
        sys.stderr.write(
            "Hearthside needs Python %d.%d or newer, and this is Python %d.%d: install a newer one "
            "(on Debian 12 or Ubuntu 24.04: apt-get install python3 python3-venv) and try again.\n"
            % (OLDEST + tuple(sys.version_info[:2]))
        )
        return 1
    from runner.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
