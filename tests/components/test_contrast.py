"""Every pair of colours that the components put together, computed from the tokens, in all three themes."""

import re
from pathlib import Path

import pytest
from django.conf import settings

CSS = Path(settings.BASE_DIR) / "static" / "css"
SIGNALS = ("ok", "pause", "act")
GROUNDS = ("paper", "paper-raised", "paper-sunk", "accent-wash", "ok-wash", "pause-wash", "act-wash")
THEMES = ("light", "dark", "dim")

# 4.5 for words (WCAG 1.4.3), 3 for edges, marks and rings (1.4.11).
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-soft", "accent") for ground in GROUNDS),
    *((signal, ground) for signal in SIGNALS for ground in ("paper", "paper-raised", f"{signal}-wash")),
    ("accent-deep", "accent-wash"),
    ("on-accent", "accent"),
    ("on-accent", "accent-deep"),
    ("on-signal", "act"),
    ("on-signal", "pause"),
    ("help-ink", "help-back"),
    ("help-soft", "help-back"),
    ("help-ink", "help-hover"),
    ("help-soft", "help-hover"),
    ("ink", "pause-band"),
]
EDGES = [
    *(("line-strong", ground) for ground in ("paper", "paper-raised", "paper-sunk")),
    *(("focus", ground) for ground in ("paper", "paper-raised", "paper-sunk")),
    *((signal, ground) for signal in SIGNALS for ground in ("paper", "paper-raised")),
    *(("accent", ground) for ground in ("pause-band", "ok-wash", "pause-wash", "act-wash")),
]


def tokens() -> dict[str, dict[str, str]]:
    """theme -> token -> '#rrggbb', as the cascade gives them."""
    css = (CSS / "tokens.css").read_text()
    light = re.search(r":root \{\n\s+color-scheme: light;(.*?)\n  \}", css, re.S)
    dark = re.search(r"prefers-color-scheme: dark\) \{\n\s+:root \{(.*?)\n    \}", css, re.S)
    dim = re.search(r"\.theme-dim \{\n\s+color-scheme: dark;(.*?)\n    \}", css, re.S)
    assert light and dark and dim
    found = [
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", block.group(1))) for block in (light, dark, dim)
    ]
    return dict(zip(THEMES, (found[0], found[0] | found[1], found[0] | found[2]), strict=True))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_known_figures() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_words_can_be_read_on_every_ground(theme: str) -> None:
    palette = tokens()[theme]
    weak = {pair: round(contrast(palette[pair[0]], palette[pair[1]]), 2) for pair in TEXT}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_edges_marks_and_focus_rings_can_be_seen(theme: str) -> None:
    palette = tokens()[theme]
    weak = {pair: round(contrast(palette[pair[0]], palette[pair[1]]), 2) for pair in EDGES}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 3} == {}


def test_no_other_stylesheet_names_a_colour() -> None:
    """One place for colours: a raw hex or rgb() elsewhere would slip past the figures above."""
    raw = {
        sheet.name: re.findall(
            r"(?<![\w-])#[0-9a-fA-F]{3,8}\b|\brgba?\([^)]*\)|\bhsla?\([^)]*\)", sheet.read_text()
        )
        for sheet in CSS.glob("*.css")
        if sheet.name != "tokens.css"
    }
    assert {name: found for name, found in raw.items() if found} == {}


def test_every_token_that_a_stylesheet_uses_exists() -> None:
    defined = set(re.findall(r"--([a-z0-9-]+):", (CSS / "tokens.css").read_text()))
    for sheet in CSS.glob("*.css"):
        if sheet.name == "admin.css":
            continue  # Dresses the administration's library, with that library's own tokens.
        text = sheet.read_text()
        own = set(re.findall(r"--([a-z0-9-]+):", text))
        assert set(re.findall(r"var\(--([a-z0-9-]+)", text)) - defined - own == set(), sheet.name
