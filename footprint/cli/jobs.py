"""`footprint jobs`: the month's table of a site, from SLURM's accounting and the metrics that it records anyway."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.words import SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import InputError
from footprint.moments import moment

if TYPE_CHECKING:
    from footprint.fleet.devices import Job
    from footprint.fleet.prometheus import Prometheus

_WHICH = "Which jobs"
_MANY = 20
_WITH_ZONE = re.compile(r"(?:[Zz]|[+-]\d{2}:?\d{2})$")
_AGO = re.compile(r"^\d{1,6}\s*(?:min|h|d|w)\b")
Text = str | None


class By(StrEnum):
    """The names of `footprint.fleet.months.GROUPS`, known without importing it."""

    user = "user"
    account = "account"
    project = "project"
    of_partition = "partition"
    month = "month"


def _which(help: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=_WHICH)


SitePath = Annotated[
    Path | None,
    typer.Option(
        "--site", metavar="FILE", help="What the site says of itself, in YAML; FOOTPRINT_SITE. See examples/site.yaml."
    ),
]
AcceleratorName = Annotated[
    str | None,
    typer.Option(
        "--accelerator", metavar="NAME", help="Where metrics do not tell it; before what --site and SLURM name."
    ),
]


@takes_words(SITE_WORDS)
def jobs(
    words: dict[str, Any],
    since: Annotated[
        Text, _which("2026-10, 2026-10-15, today or 7d; this month unless told.", "WHEN", "--since")
    ] = None,
    until: Annotated[Text, _which("The end of 2026-10 is meant; now, where it is left out.", "WHEN", "--until")] = None,
    by: Annotated[By, typer.Option(help="What a row is.", rich_help_panel=_WHICH)] = By.account,
    site: SitePath = None,
    sacct: Annotated[
        Path | None,
        _which("What sacct -a -D --parsable2 wrote, - for stdin; sacct is asked, where it is there.", "FILE"),
    ] = None,
    prometheus: Annotated[
        Text, _which("The server; FOOTPRINT_PROMETHEUS_URL. Without it, grades C and D.", "URL")
    ] = None,
    accelerator: AcceleratorName = None,
    html: Annotated[bool, typer.Option("--html", help="A page that stands alone.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A row a group, unrounded, units in the names.")] = False,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """What the jobs of a site used and cost, month by month, with waste apart.

    Energy is that of counters in Prometheus (A), power (B), utilization that jobstats or SLURM kept (C), else hours
    and a share of the rating (D); the table says how much of it is which. Of a job only what lies inside a month
    counts. What failed, timed out, was cancelled, requeued or held idle is never mixed into the rest.

    \b
    Examples:
      footprint jobs --since 2026-10 --until 2026-10 --by account --site site.yaml
      footprint jobs --since 2026-10 --by user --prometheus http://prometheus:9090 --html --out october.html
      footprint jobs --since 2026-10 --by month --csv --out months.csv
      footprint jobs --since 2026-10 --sacct saved.txt --accelerator h100-sxm --country FR

    \b
    To save what sacct knows:
      sacct -a -D --parsable2 --noconvert -S 2026-10-01 -E 2026-11-01 -o
      JobID,JobIDRaw,Cluster,User,Account,WCKey,Partition,State,Start,End,
      ElapsedRaw,Suspended,NNodes,NodeList,AllocTRES,ConsumedEnergyRaw,
      TRESUsageInTot,AdminComment > saved.txt                  (in one line)
    """
    name = _format(html, csv, format, out)
    from dataclasses import replace
    from functools import partial

    from footprint.catalog import open_catalog
    from footprint.fleet.months import jobs_table
    from footprint.fleet.months_held import may_have_accelerators
    from footprint.fleet.site_file import site_named
    from footprint.fleet.slurm_asked import accounting
    from footprint.report import months

    catalog = open_catalog(data)
    model = None if accelerator is None else catalog.accelerator(accelerator).id
    told = site_named(site, os.environ, catalog).typing(model)
    started_s, ended_s = _interval(since, until, told.zone())
    server = _server(prometheus)
    wanted = partial(may_have_accelerators, site=told)
    read = accounting(sacct, os.environ, started_s, ended_s, told.zone(), wanted)
    found = jobs_table(
        read, started_s, ended_s, by.value, told, catalog, words, server=server, model=model, shown=_progress
    )
    found = replace(found, notes=(*found.notes, *told.overruled(read.starts, catalog)))
    if name == output.Format.text.value and out is None:
        output.write(months.text(found, color=output.is_colored()), None)
    else:
        from footprint.report.months_formats import FORMATS

        output.write(FORMATS[name](found), out)
    output.notes(months.remarks(found))


def _format(html: bool, csv: bool, format: output.Format | None, out: Path | None) -> str:
    asked = [*(["html"] if html else []), *(["csv"] if csv else []), *([format.value] if format is not None else [])]
    if len(set(asked)) > 1:
        raise InputError("format", " and ".join(asked), "are several", "choose one of --html, --csv and --format")
    return asked[0] if asked else output.chosen(None, out)


def _interval(since: str | None, until: str | None, zone: tzinfo | None) -> tuple[float, float]:
    """Moments without a zone are the site's."""
    now = datetime.now(UTC)
    first = now.astimezone(zone or UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begun = first if since is None else _moment("since", since, zone, is_end=False)
    ended = now if until is None else _moment("until", until, zone, is_end=True)
    if not ended > begun:
        raise InputError("until", until, f"is not after {begun:%Y-%m-%d %H:%M}", "give --since and --until in order")
    return begun.timestamp(), ended.timestamp()


def _moment(field: str, text: str, zone: tzinfo | None, *, is_end: bool) -> datetime:
    found = moment(field, text, is_end, datetime.now(zone or UTC))
    is_absolute = _AGO.match(text.strip()) or _WITH_ZONE.search(text.strip().partition("T")[2])
    return found if zone is None or is_absolute else found.replace(tzinfo=zone)


def _server(url: str | None) -> Prometheus | None:
    from footprint.fleet.access import ADDRESS, access
    from footprint.fleet.prometheus import Prometheus

    return Prometheus(access(url, os.environ)) if url or os.environ.get(ADDRESS) else None


def _progress(found: Sequence[Job]) -> Iterable[Job]:
    """A bar on a terminal where there is much to fetch."""
    if len(found) < _MANY or not sys.stderr.isatty():
        yield from found
        return
    with typer.progressbar(found, label="fetching metrics", file=sys.stderr) as bar:
        yield from bar
