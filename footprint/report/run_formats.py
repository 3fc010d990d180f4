"""Every output format of a measured run: one function `Run -> str` and one line in a table each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from json import dumps

from footprint import records
from footprint.report import run_numbers, tables
from footprint.report.formats import chosen
from footprint.report.run_sections import answer, sections
from footprint.report.run_wording import card, remarks, subtitle, title
from footprint.values import Run


def text(run: Run) -> str:
    """For a terminal."""
    from footprint.report import run_text

    return run_text.text(run)


def json(run: Run) -> str:
    """All fields, versioned."""
    return printable(records.to_json(run))


def json_of_many(runs: Iterable[Run]) -> str:
    """The same of several, under `runs`."""
    found = {"schema_version": records.SCHEMA_VERSION, "runs": [records.to_plain(run) for run in runs]}
    return printable(dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def csv_of_many(runs: Iterable[Run]) -> str:
    """The rows of each, one after another."""
    return tables.as_csv(run_numbers.quantities(runs))


def text_of_many(runs: Iterable[Run]) -> str:
    """One after another, with a line between."""
    return "\n".join(map(text, runs))


def csv(run: Run) -> str:
    """One row a quantity, numbers in the unit of their column."""
    return tables.as_csv(run_numbers.quantities([run]))


def markdown(run: Run) -> str:
    """A heading, and each table as a pipe table."""
    blocks = [f"## {tables.escape_markdown(title(run))}", *(tables.escape_markdown(line) for line in subtitle(run))]
    blocks.append(tables.as_markdown(answer(run)).rstrip())
    blocks.append(tables.escape_markdown(card(run)))
    for name, table in sections(run):
        if table.rows:
            blocks += [f"### {name}", tables.as_markdown(table).rstrip()]
    blocks += [f"> {tables.escape_markdown(line)}" for line in remarks(run)]
    return "\n\n".join(blocks) + "\n"


def latex(run: Run) -> str:
    """A booktabs table of the answer."""
    return tables.as_latex(answer(run))


def html(run: Run) -> str:
    """A page that stands alone, with its data inside."""
    from footprint.report import run_page

    return run_page.document(run)


FORMATS: dict[str, Callable[[Run], str]] = {
    "text": text,
    "json": json,
    "csv": csv,
    "markdown": markdown,
    "latex": latex,
    "html": html,
}
OF_MANY: dict[str, Callable[[Iterable[Run]], str]] = {
    "text": text_of_many,
    "json": json_of_many,
    "csv": csv_of_many,
}
"""Those that can tell of several runs."""


def named(name: str) -> Callable[[Run], str]:
    """The function of a format.

    Raises
    ------
    UnknownName
        When there is no such format.
    """
    return chosen(name, FORMATS)


def printable(json_text: str) -> str:
    """JSON whose strings hold no character that could steer a terminal: such stand as JSON escapes."""
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in json_text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
