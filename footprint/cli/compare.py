"""`footprint compare`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.words import SITE_WORDS, Data, Out, OutFormat, takes_words

_FOR_MACHINES = ("json", "csv")


@takes_words(SITE_WORDS)
def compare(
    subjects: Annotated[list[str], typer.Argument(metavar="MODEL...", help="See: footprint catalog models.")],
    words: dict[str, Any],
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Put models beside each other: hours, energy, carbon, money and published quality.

    \b
    Examples:
      footprint compare llama-3.1-405b gpt-4 gpt-4o claude-3.5-sonnet
      footprint compare llama-3.1-8b llama-3.1-70b --country FRA --format csv
    """
    name = output.chosen(format, out)
    from footprint.estimation import doors
    from footprint.report import comparison

    results = doors.compare(*subjects, data=data, **words)
    scores = {result.name: doors.scores(result.name, data=data) for result in results}
    if name == "text":
        output.show_tables([comparison.costs(results), comparison.quality(results, scores)], out)
    elif name in _FOR_MACHINES:
        output.show_table(comparison.comparison_numbers(results, scores), name, out)
    else:
        output.show_table(comparison.comparison(results, scores), name, out)
    output.notes(
        note if note.startswith(result.name) else f"{result.name}: {note}"
        for result in results
        for note in result.notes
    )
