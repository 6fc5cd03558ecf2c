"""Draws docs/screens and its index from a freshly seeded demo practice that runs:

    make up                                     # in one terminal
    python -m tests.screens                     # in another: every area
    python -m tests.screens --only safety work  # some of them; the index keeps the rest
    python -m tests.screens --missing           # which pages nobody has photographed; needs no browser and no practice
    python -m tests.screens --judge             # axe and the width of each page as well; ends with 1 where something is wrong

It books a call, runs a dosing day and a video visit and moves the demo's clock for it, so draw from a practice nobody needs.
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "screens.md"
KEPT = "index.json"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--logins", type=Path, default=ROOT / "var" / "demo-logins.txt")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    parser.add_argument("--only", nargs="*", default=[], metavar="AREA")
    parser.add_argument("--judge", action="store_true")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--dark", action="store_true", help="in the dark; for looking at, not for the docs")
    options = parser.parse_args()
    set_up()
    if options.missing:
        from tests.screens.routes import without_a_picture

        print("\n".join(found := without_a_picture()))
        return 1 if found else 0

    from playwright.sync_api import sync_playwright

    from tests.browsers import ARGUMENTS, FAKE_DEVICES, browser_path
    from tests.screens.camera import Camera
    from tests.screens.index import write_index
    from tests.screens.places import AREAS

    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=[*ARGUMENTS, *FAKE_DEVICES])
        camera = Camera(
            browser, options.url.rstrip("/"), options.logins, options.out, options.judge, options.dark
        )
        for area in AREAS:
            if options.only and area.__name__ not in options.only:
                continue
            camera.area = (area.__doc__ or "").strip()
            try:
                area(camera)
            except Exception as error:
                camera.trouble.append(
                    f"{area.__name__} broke off: {type(error).__name__}: {str(error)[:600]}"
                )
        browser.close()
    write_index(
        camera.taken,
        options.out,
        INDEX if options.out == ROOT / "docs" / "screens" else options.out / "screens.md",
    )
    total = sum(file.stat().st_size for file in options.out.glob("*.webp"))
    print(f"{len(camera.taken)} pictures, {total / 1e6:.1f} MB in the folder")
    print("\n".join(camera.trouble))
    return 1 if camera.trouble else 0


def set_up() -> None:
    """Django on the practice that runs: the same database, keys and clock."""
    from runner.checkout import join

    join()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    import django

    django.setup()


if __name__ == "__main__":
    sys.exit(main())
