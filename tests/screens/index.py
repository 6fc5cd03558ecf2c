"""docs/screens.md: every picture under its area, with one line about it."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.screens.camera import Picture

HEAD = """# Pages, in pictures

Drawn from the demo practice of made-up people by `python -m tests.screens`; do not edit. At 1280 pixels, and at 360 where patients, sitters and visitors hold a phone.
"""


def write_index(taken: list[Picture], folder: Path, index: Path) -> None:
    """Add what was taken to what is known already, and write the index anew; pictures that are gone are forgotten."""
    from tests.screens.places import AREAS

    notes = folder / "index.json"
    known = {row["name"]: row for row in json.loads(notes.read_text())} if notes.exists() else {}
    # What was drawn again takes its new place; what was not keeps the old one.
    for picture in taken:
        known.pop(picture.name, None)
        known[picture.name] = asdict(picture)
    order = [(area.__doc__ or "").strip() for area in AREAS]
    rows = [row for row in known.values() if (folder / row["name"]).exists()]
    rows.sort(key=lambda row: order.index(row["area"]) if row["area"] in order else len(order))
    notes.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    lines = [HEAD]
    for area in AREAS:
        title = (area.__doc__ or "").strip()
        mine = [row for row in rows if row["area"] == title]
        if not mine:
            continue
        lines += [f"## {title}", "", "| page | where | pictures |", "|---|---|---|"]
        pages: dict[tuple[str, str], list[str]] = {}
        for row in mine:
            pages.setdefault((row["name"].rsplit("-", 1)[0], row["address"]), []).append(row["name"])
        captions = {row["name"].rsplit("-", 1)[0]: row["caption"] for row in reversed(mine)}
        for (page, address), files in pages.items():
            shown = " ".join(
                f"[{'phone' if file.endswith('-360.webp') else 'desk'}]({folder.name}/{file})" for file in sorted(files, reverse=True)
            )  # fmt: skip
            lines.append(f"| {captions[page]} | `{address}` | {shown} |")
        lines.append("")
    index.write_text("\n".join(lines))
