"""Tables of cells and the formats in which they are written."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import dataclass

from footprint.records import SCHEMA_VERSION
from footprint.report.wording import plain

Cell = str | float | int | bool | None

_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "–": "--", "×": r"$\times$", "·": r"$\cdot$", "…": r"\ldots{}", "[": "{[}", "]": "{]}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `right` names the columns of numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    right: frozenset[str] = frozenset()


def as_csv(table: Table) -> str:
    """Comma-separated, for machines and spreadsheets: text cannot start a formula, numbers keep all digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_csv_cell(cell) for cell in row] for row in table.rows)
    return out.getvalue()


def as_tsv(table: Table) -> str:
    """Tab-separated, for cut and awk: no quoting, a tab inside a cell becomes a space."""
    lines = ["\t".join(table.columns)]
    lines += ["\t".join(_one_line(_csv_cell(cell)) for cell in row) for row in table.rows]
    return "\n".join(lines) + "\n"


def as_json(table: Table) -> str:
    """One object a row under `rows`, beside the version of the schema."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    text = json.dumps({"schema_version": SCHEMA_VERSION, "rows": rows}, indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def as_markdown(table: Table) -> str:
    """A pipe table."""
    rule = ["---:" if name in table.right else "---" for name in table.columns]
    lines = [[escape_markdown(name) for name in table.columns], rule]
    lines += [[escape_markdown(show_cell(cell)) for cell in row] for row in table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def as_latex(table: Table) -> str:
    """A booktabs table."""
    columns = "".join("r" if name in table.right else "l" for name in table.columns)
    body = [[escape_latex(show_cell(cell)) for cell in row] for row in table.rows]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{escape_latex(table.title)}}}"] if table.title else []),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(escape_latex(name) for name in table.columns) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_html(table: Table) -> str:
    """A table element, every cell escaped."""

    def cell(tag: str, name: str, text: str) -> str:
        return f"<{tag}{' class=number' if name in table.right else ''}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", name, name) for name in table.columns)
    rows = (
        "<tr>" + "".join(cell("td", n, show_cell(c)) for n, c in zip(table.columns, row, strict=True)) + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table>\n"


def show_cell(cell: Cell) -> str:
    """A cell for readers: numbers grouped, nothing for what is absent."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return plain(cell)
    if 1e5 <= abs(cell) < 1e12:
        return f"{cell:,.0f}"
    return f"{cell:,.6g}" if 1e-4 <= abs(cell) < 1e5 or cell == 0 else f"{cell:.4g}"


def escape_latex(text: str) -> str:
    """Text without any character that LaTeX would act on."""
    return re.sub("|".join(map(re.escape, _LATEX)), lambda match: _LATEX[match.group()], plain(text))


def escape_markdown(text: str) -> str:
    """Text without any character that would break a pipe table or open a tag, a link or emphasis."""
    safe = html.escape(plain(text), quote=False)
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", safe)


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA_START) else cell
    return show_cell(cell) if isinstance(cell, bool) else repr(cell)


def _one_line(text: str) -> str:
    return re.sub(r"[\t\r\n]+", " ", text)
