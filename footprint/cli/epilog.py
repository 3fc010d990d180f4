"""`footprint slurm-epilog`: a line of each job's footprint at its end, and the script that makes SLURM ask for it."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.jobs import SitePath
from footprint.cli.words import Data
from footprint.errors import FootprintError, InputError

if TYPE_CHECKING:
    from footprint.values import Run

_TIMEOUT_S, _MOST_TIMEOUT_S = 5.0, 60.0
_PLACE, _LOG = "/etc/slurm/footprint-epilog.sh", "/var/log/footprint.jsonl"


class Comment(StrEnum):
    """The names of `footprint.fleet.epilog.FIELDS`."""

    comment = "comment"
    admin_comment = "admin-comment"


def slurm_epilog(
    prometheus: Annotated[str | None, typer.Option(metavar="URL", help="The server; FOOTPRINT_PROMETHEUS_URL.")] = None,
    site: SitePath = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Append a line of JSON; else a short one to stdout."),
    ] = None,
    comment: Annotated[Comment | None, typer.Option(help="Put the short line into the job's comment.")] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Then it gives up.")] = _TIMEOUT_S,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is no line.")] = False,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the script that SLURM runs.")] = None,
    data: Data = None,
) -> None:
    """A line of a job's footprint at its end: energy, CO2e, money, evidence.

    Run by hand it prints what to put into slurm.conf, with the options that it was given. Run by SLURM, with
    SLURM_JOB_ID in the environment, it writes the line, ends within --timeout and with 0, whatever happens: an epilog
    that fails drains its node. Of a job's nodes the first one writes.

    \b
    Examples:
      footprint slurm-epilog --prometheus http://prometheus:9090 --out /var/log/footprint.jsonl
      footprint slurm-epilog --site /etc/slurm/site.yaml --out /var/log/footprint.jsonl --write /etc/slurm/footprint.sh
      tail -n 3 /var/log/footprint.jsonl
    """
    from footprint.fleet import epilog

    if not 0 < timeout <= _MOST_TIMEOUT_S:
        raise InputError("timeout", timeout, f"must be above 0 and at most {_MOST_TIMEOUT_S:g} seconds", "write 5")
    if write is not None or not os.environ.get(epilog.JOB):
        _script(prometheus, site, out, comment, timeout, strict, data, write)
        return
    if epilog.is_others(os.environ):
        return
    kept: dict[str, Any] = {}

    def work() -> None:
        try:
            id, run = _run(prometheus, site, data)
            _tell(id, run, out, comment, timeout)
            kept["is_done"] = True
        except FootprintError as error:
            kept["problem"] = str(error)
        except OSError as error:
            kept["problem"] = f"the line cannot be written: {error.strerror or error}"

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(timeout)
    if not kept.get("is_done"):
        typer.echo(f"footprint: no line of this job: {kept.get('problem', f'not done within {timeout:g} s')}", err=True)
    code = 1 if strict and not kept.get("is_done") else 0
    if worker.is_alive():  # requests that wait would hold up the end of the process
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def _run(prometheus: str | None, site: Path | None, data: Path | None) -> tuple[str, Run]:
    """The job's id, as sacct writes it, and its run."""
    from footprint.catalog import open_catalog
    from footprint.fleet import epilog
    from footprint.fleet.access import ADDRESS, access
    from footprint.fleet.hosts import Allocation
    from footprint.fleet.jobs import job_run
    from footprint.fleet.prometheus import Prometheus
    from footprint.fleet.site_file import site_named

    catalog = open_catalog(data)
    told = site_named(site, os.environ, catalog)
    url = prometheus or os.environ.get(ADDRESS)
    server = Prometheus(access(url, os.environ)) if url else None
    found = epilog.known(os.environ)
    runs = found.runs(
        lambda start, job: job_run(
            job, server, catalog, told.under({}), model=told.device_of(start.accelerator, start.partition, catalog),
            node_has_accelerators=told.ipmi_has_accelerators, utilization=start.utilization,
            allocation=Allocation(start, told),
        ),
        has_metrics=server is not None,
    )  # fmt: skip
    return found.starts[-1].id, runs[-1]


def _tell(id: str, run: Run, out: Path | None, comment: Comment | None, most_s: float) -> None:
    from footprint.fleet import epilog
    from footprint.report import job_line

    short = job_line.text(run).splitlines()[0]
    if out is not None:
        epilog.append(out, epilog.line(run, os.environ))
    else:
        output.write(f"{short}; evidence {run.evidence}\n", None)
    if comment is not None:
        epilog.comment(id, comment.value, f"footprint: {short}", os.environ, most_s)


def _script(
    prometheus: str | None,
    site: Path | None,
    out: Path | None,
    comment: Comment | None,
    timeout: float,
    strict: bool,
    data: Path | None,
    write: Path | None,
) -> None:
    from footprint.fleet import epilog
    from footprint.fleet.access import ADDRESS, access, credentials
    from footprint.fleet.site_file import VARIABLE

    url, told_site = prometheus or os.environ.get(ADDRESS), site or os.environ.get(VARIABLE)
    told_data = data or os.environ.get("FOOTPRINT_DATA")
    own = shutil.which("footprint") or sys.argv[0]
    given = [
        ("--prometheus", access(url, {}).address if url else None),  # without a password in it
        ("--site", told_site and Path(told_site).expanduser().resolve()),
        ("--out", out.absolute() if out is not None else None if comment is not None else _LOG),
        ("--comment", comment and comment.value),
        ("--data", told_data and Path(told_data).expanduser().resolve()),
    ]
    words = [word for name, value in given if value for word in (name, str(value))]
    words += ["--timeout", f"{timeout:g}"]
    words += ["--strict"] if strict else []
    files, secrets = credentials(os.environ)
    text = epilog.script(str(Path(own).absolute()), words, files)
    if write is None:
        output.write(epilog.told(text, _PLACE), None)
    else:
        epilog.write_script(write, text)
        output.notes([f"put into slurm.conf: EpilogSlurmctld={write.absolute()} (or Epilog=, on nodes)"])
    output.notes(_doubts(site, data, is_secret=bool(secrets or (url and access(url, {}).headers))))


def _doubts(site: Path | None, data: Path | None, *, is_secret: bool) -> Iterator[str]:
    """What would keep the script from its work, known before a job ends."""
    from footprint.catalog import open_catalog
    from footprint.fleet.site_file import site_named

    if is_secret:
        yield (
            "no credential is in the script, and SLURM hands none on: put it into a file that the epilog's user may "
            "read, and print this again with FOOTPRINT_PROMETHEUS_TOKEN_FILE (or _USER_FILE and _PASSWORD_FILE) set"
        )
    try:
        site_named(site, os.environ, open_catalog(data))
    except FootprintError as error:
        yield f"as it is now, no line would be written: {error}"
