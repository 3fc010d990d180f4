"""`footprint explain`."""

from __future__ import annotations

import shutil
from typing import Any

from footprint.cli import output
from footprint.cli.estimate import Subject, check_asked
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, Out, takes_words

WIDEST = 100
"""Columns beyond which prose is tiring to read."""


@takes_words(RUN_WORDS, SITE_WORDS)
def explain(words: dict[str, Any], subject: Subject = None, data: Data = None, out: Out = None) -> None:
    """Show how an estimate came about: every step with its numbers, every assumption with its source.

    \b
    Examples:
      footprint explain llama-3.1-405b
      footprint explain --params 7B --tokens 2T --accelerator h100-sxm --count 512
    """
    check_asked(subject, words)
    from footprint.estimation import doors
    from footprint.report import explain as report

    result = doors.estimate(subject, data=data, **words)
    width = min(WIDEST, shutil.get_terminal_size().columns)
    output.write(report.explain(result, doors.neighbours(result, data=data), width), out)
