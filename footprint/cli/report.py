"""`footprint report`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.ledger import Folder, Store, caught_up
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, takes_words
from footprint.errors import FootprintError, InputError, JournalError, StoreError, UnknownName
from footprint.units import BYTES_PER_MB

if TYPE_CHECKING:
    from footprint.report.page_pictures import Kind
    from footprint.values import Footprint, Run

_PAGES = (".html", ".htm")
_FILES = (*_PAGES, ".json", ".yaml", ".yml")
_MOST_NAME = 60


@takes_words(RUN_WORDS, SITE_WORDS)
def report(
    words: dict[str, Any],
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN | PLAN]",
            help="A run or plan by name, id or folder; a model, a .yaml plan, a page. The newest run by default.",
            show_default=False,
        ),
    ] = None,
    store: Store = None,
    folder: Folder = None,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The page; NAME-report.html unless named.")
    ] = None,
) -> None:
    """Write all there is to say of a run or a plan as one page, to read, print or send.

    One .html file that needs no network: the answer, pictures, every step with its numbers, every
    assumption with its source, what was not measured, a paragraph and BibTeX for a paper. Its data
    are inside: footprint estimate PAGE.html starts again from it.

    \b
    Examples:
      footprint report sft-7b
      footprint report llama-3.1-405b --out page.html
      footprint report --params 7B --tokens 2T --accelerator h100-sxm --count 512 --country FRA
      footprint report 3f9c2a --region gcp/europe-north1
    """
    if out is not None and out.suffix.lower() not in _PAGES:
        raise InputError("out", str(out), "is no page", "end it in .html; a browser prints it to PDF")
    found = _found(subject, words, store, folder, data)
    told = _page(found, data)
    path = out or Path(f"{_file_name(found.name)}-report.html")
    output.write(told, path)
    output.notes(getattr(found, "notes", ()) if not hasattr(found, "meters") else ())
    output.notes([f"written to {path}, {len(told.encode('utf-8')) / BYTES_PER_MB:.1f} MB"])


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:_MOST_NAME].strip(".-") or "footprint"


def _found(
    subject: str | None, words: dict[str, Any], store: str | None, folder: Path | None, data: Path | None
) -> Run | Footprint:
    """The run or the plan that is meant: what the ledger knows by that name before a model of it."""
    is_plan = any(name in RUN_WORDS for name in words) or (subject is None and words)
    if subject is not None and Path(subject).is_dir():
        from footprint.measurement.tracker import reading

        return reading.read_run(subject, data=data, words=words or None)
    if subject is not None and subject.lower().endswith(_FILES):
        return _of_file(Path(subject), words, data)
    if is_plan:
        return _estimated(subject, words, data)
    try:
        return _kept(subject, words, store, folder, data)
    except (StoreError, UnknownName) as error:
        if subject is None or (isinstance(error, UnknownName) and error.field != "run"):
            raise
        return _model(subject, words, data, error)


def _estimated(subject: Any, words: Mapping[str, Any], data: Path | None) -> Footprint:
    from footprint.estimation import doors

    return doors.estimate(subject, data=data, sensitivity=True, **words)


def _model(subject: str, words: Mapping[str, Any], data: Path | None, unknown: FootprintError) -> Footprint:
    """A model of that name, where no run or plan has it."""
    try:
        return _estimated(subject, words, data)
    except UnknownName as error:
        if error.field != "model":
            raise
        close = dict.fromkeys((*getattr(unknown, "suggestions", ()), *error.suggestions))
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        fix = f"{hint}list them with: footprint runs list, footprint catalog models"
        raise InputError("report", subject, "is no run, plan or model", fix) from error


def _of_file(path: Path, words: dict[str, Any], data: Path | None) -> Run | Footprint:
    """A plan in words; of a page that holds a run, the run."""
    from footprint import records
    from footprint.estimation import retold
    from footprint.report import page_data
    from footprint.values import Run

    if retold.is_record(path):
        plain = page_data.read(path)
        if "meters" in plain and not words:
            return records.from_plain(Run, plain)
    return _estimated(path, words, data)


def _kept(
    subject: str | None, words: dict[str, Any], store: str | None, folder: Path | None, data: Path | None
) -> Run | Footprint:
    """What the ledger has, for another place where one is named."""
    from footprint.cli.runs import assessed_again, newest
    from footprint.estimation import retold
    from footprint.values import Run

    with caught_up(store, folder, data) as (ledger, _):
        entry = ledger.find(subject) if subject is not None else newest(ledger)
        folders = [place for place in ledger.folders_of(entry.id) if place.is_dir()]
        found = ledger.get(entry.id)
    if not words:
        return found
    if isinstance(found, Run):
        return assessed_again(entry, folders, words, data)
    return _estimated(retold.over(retold.words_of(found), words), {}, data)


def _page(found: Run | Footprint, data: Path | None) -> str:
    from footprint.report import methods, page, page_pictures, run_page
    from footprint.values import Run

    sources = methods.known_sources(data)
    if isinstance(found, Run):
        pictures = page_pictures.of_run(found, _figures(page_pictures.OF_RUN, found))
        return run_page.document(found, pictures, sources)
    from footprint.estimation import many, parting

    if found.plan is None:
        return page.page(found, (), sources)
    whole, answer = many.with_sensitivities(found), parting.answer(found)
    figures = _figures(page_pictures.OF_PLAN, whole)
    return page.page(whole, page_pictures.of_plan(whole, figures, answer), sources)


def _figures(kinds: Sequence[Kind], found: Run | Footprint) -> dict[str, Any]:
    """The charts that can be drawn of it; why one cannot is told."""
    from footprint import charts

    drawn = {}
    for kind in kinds:
        if kind.name not in charts.KINDS or not kind.is_drawn(found):
            continue
        try:
            drawn[kind.name] = charts.draw(kind.name, found)
        except (InputError, JournalError) as error:
            output.notes([f"without its {kind.name} chart: {error}"])
    return drawn
