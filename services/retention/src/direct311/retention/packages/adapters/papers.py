"""The papers of a package as PDF, made with reportlab.

`invariant` leaves the time and a random id out of a document, so the same facts give the same
bytes. The font is part of this package: the standard fonts of PDF lack the mark and some letters.
"""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import landscape, letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import inch
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table
from reportlab.platypus.tables import TableStyle

from direct311.retention.packages.domain.bag import LOG_COLUMNS
from direct311.retention.packages.domain.letter import LetterFacts, ReleaseLetter, letter_of

FONT: Final = "Direct311"
_MARGIN: Final = 0.8 * inch
_WIDTHS: Final = [inch * each for each in (2.1, 1.5, 1.0, 1.1, 1.1, 1.0, 1.3, 0.7)]
"""Of the columns of the exemption log; together the page without its margins."""


class PdfPapers:
    """Implements `Papers`."""

    def __init__(self, words: ReleaseLetter) -> None:
        register_font()
        self._words = words
        self._title = ParagraphStyle(
            "title", fontName=FONT, fontSize=14, leading=18, spaceAfter=10, alignment=TA_LEFT
        )
        self._text = ParagraphStyle("text", fontName=FONT, fontSize=10, leading=14, spaceAfter=8)
        # Ids have no place to break at.
        self._cell = ParagraphStyle(
            "cell", fontName=FONT, fontSize=7, leading=9, splitLongWords=True
        )

    @property
    def organization(self) -> str:
        return self._words.organization

    def letter(self, facts: LetterFacts) -> bytes:
        story: list[Flowable] = []
        for number, (title, paragraphs) in enumerate(letter_of(self._words, facts)):
            if number:
                story.append(PageBreak())
            story.append(Paragraph(escape(self.organization), self._text))
            story.append(Paragraph(escape(title), self._title))
            story += [Paragraph(escape(each), self._text) for each in paragraphs]
        titles = {"public_records": "Request for public records", "law_enforcement": "Disclosure"}
        return self._document(f"{titles[facts.kind]} {facts.case_id}", letter, story)

    def exemption_log(self, case_id: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
        title = f"Exemption log of request {case_id}"
        story: list[Flowable] = [Paragraph(escape(title), self._title)]
        if rows:
            shown = [[self._in_cell(name) for name in LOG_COLUMNS]]
            shown += [[self._in_cell(row[name]) for name in LOG_COLUMNS] for row in rows]
            grid = TableStyle(
                [("GRID", (0, 0), (-1, -1), 0.25, "#888888"), ("VALIGN", (0, 0), (-1, -1), "TOP")]
            )
            story.append(Table(shown, colWidths=_WIDTHS, repeatRows=1, style=grid))
        else:
            story += [Spacer(1, 6), Paragraph("Nothing is withheld.", self._text)]
        return self._document(title, landscape(letter), story)

    def _in_cell(self, value: object) -> Paragraph:
        return Paragraph(escape(str(value)), self._cell)

    def _document(self, title: str, size: tuple[float, float], story: list[Flowable]) -> bytes:
        """Its metadata name the case and the county, and nobody."""
        file = io.BytesIO()
        SimpleDocTemplate(
            file,
            pagesize=size,
            leftMargin=_MARGIN / 2,
            rightMargin=_MARGIN / 2,
            topMargin=_MARGIN,
            bottomMargin=_MARGIN,
            title=title,
            author=self.organization,
            subject=self._words.citation,
            creator="Direct311",
            producer="Direct311",
            invariant=1,
            pageCompression=1,
            lang="en-US",
        ).build(story)
        return file.getvalue()


@cache
def register_font() -> None:
    """Make `FONT` known to reportlab."""
    font = files("direct311.retention") / "data" / "DejaVuSans-subset.ttf"
    registerFont(TTFont(FONT, io.BytesIO(font.read_bytes())))
