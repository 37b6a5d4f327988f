"""Letters as PDF, made with reportlab."""

import io
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import inch
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate

from direct311.retention.breach_letters.ports import Page
from direct311.retention.packages.adapters.papers import FONT, register_font

_MARGIN: Final = 1.0 * inch


class PdfLetters:
    """Implements `Printer`."""

    def __init__(self) -> None:
        register_font()
        self._title = ParagraphStyle("title", fontName=FONT, fontSize=14, leading=18, spaceAfter=10)
        self._text = ParagraphStyle("text", fontName=FONT, fontSize=10, leading=14, spaceAfter=8)

    def printed(self, title: str, organization: str, pages: Sequence[Page]) -> bytes:
        story: list[Flowable] = []
        for number, (heading, paragraphs) in enumerate(pages):
            if number:
                story.append(PageBreak())
            story.append(Paragraph(escape(organization), self._text))
            story.append(Paragraph(escape(heading), self._title))
            story += [Paragraph(escape(each), self._text) for each in paragraphs]
        file = io.BytesIO()
        # `invariant` leaves out the time and a random id.
        SimpleDocTemplate(
            file,
            pagesize=letter,
            leftMargin=_MARGIN,
            rightMargin=_MARGIN,
            topMargin=_MARGIN,
            bottomMargin=_MARGIN,
            title=title,
            author=organization,
            creator="Direct311",
            producer="Direct311",
            invariant=1,
            pageCompression=1,
        ).build(story)
        return file.getvalue()
