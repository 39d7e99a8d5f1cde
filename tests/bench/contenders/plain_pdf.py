"""Plain fpdf2, as in its tutorial: add the font to each document, and call `table()`.

`python -m tests.bench.contenders.plain_pdf ROWS DOCUMENTS` prints the CPU seconds per document.
"""

from __future__ import annotations

import logging
import sys
import time
from importlib.resources import files

from fpdf import FPDF, FontFace

from tests.bench.printing import activities

HEADER = ("Date", "Type", "Time", "km", "kcal", "Notes")
WIDTHS = (22, 14, 16, 18, 16, 70)
FONT = str(files("manimgx_fonts").joinpath("NotoSans[wght].ttf"))


def document(count: int) -> bytes:
    rows = activities(count)
    pdf = FPDF()
    pdf.add_font("Noto", fname=FONT)
    pdf.add_page()
    pdf.set_font("Noto", size=24)
    pdf.cell(text="November 2026")
    pdf.ln(12)
    pdf.set_font(size=8)
    pdf.cell(text=f"{len(rows)} activities, {sum(row[3] or 0 for row in rows) / 1000:.1f} km")
    pdf.ln(8)
    plain = FontFace(emphasis="")  # a bold heading would need a second font
    with pdf.table(col_widths=WIDTHS, headings_style=plain) as table:
        table.row(HEADER)
        for started_at, kind, duration_s, distance_m, calories, notes in rows:
            km = f"{(distance_m or 0) / 1000:.2f}"
            table.row(
                (f"{started_at:%d %b %Y}", kind, str(duration_s), km, str(calories), notes or "")
            )
    return bytes(pdf.output())


def main() -> None:
    logging.disable(logging.WARNING)
    count, documents = int(sys.argv[1]), int(sys.argv[2])
    document(1)  # warm-up: the first document loads more
    before = time.process_time()
    for _ in range(documents):
        document(count)
    print((time.process_time() - before) / documents)


if __name__ == "__main__":
    main()
