"""Plain documents as PDF: headings, paragraphs, lists, boxes. Pure Python, fonts inside, nothing fetched from anywhere.

Text is only ever text: there is no HTML or Markdown reader behind it, so `<img src=…>` in a name prints as it stands. The bytes
follow from the content alone (the date is the document's own), so the same content gives the same file.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import XPos, YPos

# It would name each letter of a document, people's names included.
logging.getLogger("fontTools").setLevel(logging.WARNING)

FONTS = Path(__file__).resolve().parent / "fonts"
FAMILY = "DejaVu"
SIZE_PT = 10.5
LINE_MM = 5.4
INDENT_MM = 6.0

Runs = Iterable[tuple[bool, str]]


@cache
def _drawable() -> frozenset[int]:
    return frozenset(TTFont(FONTS / "DejaVuSans.ttf").getBestCmap())


def undrawable(text: str) -> list[str]:
    """The letters our fonts have no shape for, as `U+674E`, in order and once each."""
    missing = dict.fromkeys(c for c in text if ord(c) not in _drawable() and c not in "\n\r\t")
    return [f"U+{ord(c):04X}" for c in missing]


class Paper(FPDF):
    """One document on Letter paper, with a line at the foot of each page."""

    def __init__(
        self, *, title: str, author: str, made_at: datetime, foot: str, language: str = "en-US"
    ) -> None:
        super().__init__(format="Letter", unit="mm")
        self.foot = foot
        self.set_margins(22, 20, 22)
        self.set_auto_page_break(True, margin=22)
        self.add_font(FAMILY, "", FONTS / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", FONTS / "DejaVuSans-Bold.ttf")
        self.set_title(title)
        self.set_author(author)
        self.set_producer("Hearthside")
        self.set_lang(language)
        self.set_creation_date(made_at)
        self.viewer_preferences = None
        self.add_page()
        self.set_font(FAMILY, "", SIZE_PT)

    def footer(self) -> None:
        self.set_y(-16)
        self.set_font(FAMILY, "", 7.5)
        self.set_text_color(90)
        self.multi_cell(0, 3.6, f"{self.foot}\nPage {self.page_no()}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_text_color(0)
        self.set_font(FAMILY, "", SIZE_PT)

    def heading(self, text: str, level: int = 1) -> None:
        """A heading; it also stands in the outline that readers show."""
        if level > 1:
            self.ln(2.5)
        # Never the last line of a page.
        if self.will_page_break(LINE_MM * 4):
            self.add_page()
        self.start_section(_shown(text), level=level - 1)
        self.set_font(FAMILY, "B", 16 if level == 1 else 12)
        self.multi_cell(
            0, 8 if level == 1 else 6.5, _shown(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self.set_font(FAMILY, "", SIZE_PT)
        self.ln(1)

    def paragraph(self, runs: Runs | str, *, mark: str = "", indent_mm: float = 0) -> None:
        """Words, bold where a run says so; `mark` stands before them (a bullet, a ticked box)."""
        left = self.l_margin
        if mark:
            self.cell(INDENT_MM, LINE_MM, mark)
        self.set_left_margin(left + indent_mm + (INDENT_MM if mark else 0))
        if not mark:
            self.set_x(self.l_margin)
        for bold, text in [(False, runs)] if isinstance(runs, str) else runs:
            self.set_font(FAMILY, "B" if bold else "", SIZE_PT)
            self.write(LINE_MM, _shown(text))
        self.set_font(FAMILY, "", SIZE_PT)
        self.ln(LINE_MM)
        self.set_left_margin(left)
        self.set_x(left)
        self.ln(1.6)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names and values, a pair a line."""
        for name, value in pairs:
            self.set_font(FAMILY, "B", SIZE_PT)
            self.write(LINE_MM, f"{name}: ")
            self.set_font(FAMILY, "", SIZE_PT)
            self.write(LINE_MM, _shown(value))
            self.ln(LINE_MM + 0.8)
        self.ln(1.5)

    def keep_together(self, height_mm: float) -> None:
        """Begin a new page unless so much room is left: a signature is not cut in two."""
        if self.will_page_break(height_mm):
            self.add_page()

    def rule(self) -> None:
        """A line across, before a signature."""
        self.ln(2)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(3)

    def data(self) -> bytes:
        """The finished file."""
        return bytes(self.output())


def _shown(text: str) -> str:
    """Letters without a shape become a visible mark; whoever uses this says them in words where they matter."""
    return "".join(c if ord(c) in _drawable() or c in "\n\t" else "\N{WHITE SQUARE}" for c in text)
