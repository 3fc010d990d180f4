"""`footprint job`: what a job cost that nobody tracked, from the metrics that its cluster records anyway."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.jobs import AcceleratorName, SitePath
from footprint.cli.ledger import Store
from footprint.cli.words import SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import InputError
from footprint.moments import moment

if TYPE_CHECKING:
    from footprint.catalog import Catalog
    from footprint.fleet.devices import Job
    from footprint.fleet.gathering import Batch
    from footprint.fleet.prometheus import Prometheus
    from footprint.fleet.site_file import SiteFile
    from footprint.fleet.slurm import Start
    from footprint.fleet.slurm_jobs import Known
    from footprint.values import Run

_WHICH = "Which job"
_EPOCH = re.compile(r"^@?(\d{9,11}(?:\.\d+)?)$")
_MANY = 4
Text = str | None


class NodePower(StrEnum):
    """What hosts' own meters see."""

    with_gpus = "with-gpus"
    without_gpus = "without-gpus"


def _which(help: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=_WHICH)


@takes_words(SITE_WORDS)
def job(
    words: dict[str, Any],
    subject: Annotated[str | None, typer.Argument(metavar="[JOB]", help="The job's id, as its label says.")] = None,
    begin: Annotated[Text, _which("2026-11-01T08:00 (UTC), with a zone, or @seconds.", "WHEN", "--from")] = None,
    end: Annotated[Text, _which("Its end; now, where it is left out.", "WHEN", "--to")] = None,
    host: Annotated[Text, _which("Its hosts, such as gpu[01-16].", "HOSTS", "--host")] = None,
    gpus: Annotated[Text, _which("Its devices on each host: 0-3, or 0.7 for an instance.", "PLACES")] = None,
    pod: Annotated[Text, _which("Its pod in Kubernetes.", "NAME")] = None,
    namespace: Annotated[Text, _which("Its namespace.", "NAME")] = None,
    container: Annotated[Text, _which("Its container.", "NAME")] = None,
    prometheus: Annotated[Text, _which("The server; FOOTPRINT_PROMETHEUS_URL. Thanos and Mimir too.", "URL")] = None,
    sacct: Annotated[
        Path | None, _which("What sacct -D --parsable2 wrote; asked, where it is there and no --from is.", "FILE")
    ] = None,
    accelerator: AcceleratorName = None,
    precision: Annotated[Text, typer.Option(metavar="NAME", help="Of the work, for its FLOP: bf16, fp8.")] = None,
    clock_skew: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="By which the server's clock is ahead; found by labels.")
    ] = None,
    node_power: Annotated[
        NodePower | None, typer.Option(help="Read hosts' IPMI or Redfish: whether accelerators are in it.")
    ] = None,
    name: Annotated[Text, typer.Option(metavar="NAME", help="What to call it.")] = None,
    project: Annotated[Text, typer.Option(metavar="NAME", help="Whose it is.")] = None,
    site: SitePath = None,
    save: Annotated[bool, typer.Option("--save", help="Put it into the ledger of runs.")] = False,
    store: Store = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """What a past job cost, from Prometheus: energy, CO2e, money, FLOP, and how well it is known.

    Its devices are found by a label (hpc_job of dcgm-exporter, or a pod's), else by hosts and places. Energy is
    by counters where there are any: A, power: B, utilization: C, hours and a share of TDP: D.
    When a SLURM job ran is asked of sacct by its id; a requeued one has a line for each start.
    Credentials come from FOOTPRINT_PROMETHEUS_TOKEN_FILE, or _USER and _PASSWORD_FILE; a tenant from _ORG.

    \b
    Examples:
      footprint job 4242 --prometheus http://prometheus:9090 --country FR
      footprint job 4242 --sacct saved.txt --site site.yaml
      footprint job --from 2026-11-01T08:00 --to 2026-11-01T20:00 --host gpu[01-16] --gpus 0-3
      footprint job --pod train-0 --namespace ml --format json
    """
    chosen = output.chosen(format, out)
    asked = _job(subject, begin, end, host, gpus, {"pod": pod, "namespace": namespace, "container": container})
    from dataclasses import replace
    from functools import partial

    from footprint.catalog import open_catalog
    from footprint.fleet.site_file import site_named
    from footprint.fleet.slurm_jobs import known_of
    from footprint.measurement.tracker.words import label, track_words
    from footprint.report.run_formats import OF_MANY

    said = {"name": name, "project": project}
    called = {field: "" if value is None else label(field, value) for field, value in said.items()}
    asked = replace(asked, name=called["name"], project=called["project"])
    catalog = open_catalog(data)
    model = None if accelerator is None else catalog.accelerator(accelerator).id
    told = site_named(site, os.environ, catalog).typing(model)
    checked = track_words("job", {**told.under(words), "precision": precision, "data": data})
    is_whole = format is not None or out is not None
    known = known_of(asked, sacct, os.environ, is_one=is_whole and chosen not in OF_MANY)
    server = _server(prometheus, known, told, catalog)
    run_of = partial(
        _run, server=server, catalog=catalog, words=checked.plain(), site=told, clock_skew_s=clock_skew,
        node_power=node_power,
    )  # fmt: skip
    runs = known.runs(run_of, has_metrics=server is not None)
    for run in runs if save else ():
        _save(run, store)
    _show(runs, chosen if is_whole else "", out)


def _job(
    subject: str | None,
    begin: str | None,
    end: str | None,
    host: str | None,
    gpus: str | None,
    pod: dict[str, str | None],
) -> Job:
    from footprint.fleet.devices import Job, host_list, place_list

    if not (subject or host or pod["pod"] or pod["namespace"]):
        raise InputError("job", None, "is missing", "give an id, --pod, or --host with --from and --to")
    if gpus is not None and host is None:
        raise InputError("gpus", gpus, "are places on hosts, and there is none", "give --host")
    hosts = host_list(host) if host is not None else ()
    places = place_list(gpus) if gpus is not None else None
    started_s = None if begin is None else _moment("from", begin)
    ended_s = None if end is None else _moment("to", end)
    now_s = time()
    if started_s is not None and started_s > now_s and (ended_s is None or ended_s > started_s):
        raise InputError("from", begin, "lies ahead", "give a time that has passed; for plans: footprint estimate")
    if started_s is not None and ended_s is not None and ended_s <= started_s:
        raise InputError("to", end, f"is not after {begin}", "give --from and --to in order, with their zone")
    if host is not None and ended_s is None and started_s is not None and not (subject or pod["pod"]):
        ended_s = now_s
    return Job(
        id=subject or "",
        started_utc_s=started_s,
        ended_utc_s=ended_s,
        hosts=hosts,
        devices_by_host={} if places is None else dict.fromkeys(hosts, places),
        **{field: value or "" for field, value in pod.items()},
    )


def _moment(field: str, text: str) -> float:
    match = _EPOCH.match(text.strip())
    return float(match[1]) if match else moment(field, text, is_end=field == "to").timestamp()


def _run(
    start: Start,
    job: Job,
    *,
    server: Prometheus | None,
    catalog: Catalog,
    words: dict[str, Any],
    site: SiteFile,
    clock_skew_s: float | None,
    node_power: NodePower | None,
) -> Run:
    """One start: what the user does not say, the site's file does."""
    from dataclasses import replace

    from footprint.fleet.hosts import Allocation
    from footprint.fleet.jobs import job_run

    has_accelerators = site.ipmi_has_accelerators if node_power is None else node_power is NodePower.with_gpus
    run = job_run(
        job, server, catalog, words, model=site.device_of(start.accelerator, start.partition, catalog),
        clock_skew_s=clock_skew_s, node_has_accelerators=has_accelerators, utilization=start.utilization,
        allocation=Allocation(start, site), shown=_progress,
    )  # fmt: skip
    return replace(run, notes=(*run.notes, *site.overruled([start], catalog)))


def _server(url: str | None, known: Known, site: SiteFile, catalog: Catalog) -> Prometheus | None:
    """The server, or none where a rating is to do: a site is told, or something names the accelerators."""
    from footprint.fleet.access import ADDRESS, access
    from footprint.fleet.prometheus import Prometheus

    if not url and not os.environ.get(ADDRESS):
        if site.path or any(site.device_of(one.accelerator, one.partition, catalog) for one in known.starts):
            return None
        fix = "--accelerator, or --site with its partitions, for hours and the rating"
        fix = f"name the server: --prometheus URL, or {ADDRESS}; or {fix}"
        raise known.told_beside(InputError("prometheus", None, "is missing", fix))
    return Prometheus(access(url, os.environ))


def _progress(batches: Sequence[Batch]) -> Iterable[Batch]:
    """A bar on a terminal where there is much to fetch."""
    if len(batches) < _MANY or not sys.stderr.isatty():
        yield from batches
        return
    with typer.progressbar(batches, label="fetching metrics", file=sys.stderr) as bar:
        yield from bar


def _save(run: Run, store: str | None) -> None:
    from footprint.store import open_ledger
    from footprint.store.entries import IMPORTED

    with open_ledger(store) as ledger:
        ledger.save(run, IMPORTED)
    output.notes([f"saved as {run.id}; see: footprint runs show {run.id}"])


def _show(runs: Sequence[Run], format: str, out: Path | None) -> None:
    """The whole of each start in the format asked for; else a line of it and its evidence, and what to know once."""
    from footprint.report import job_line, run_formats, run_text

    told = set[str]()
    for run in runs if not format else ():
        output.write(job_line.text(run), None)
        output.notes([note for note in run.notes if note not in told])
        told.update(run.notes)
    if format == output.Format.text.value and out is None:
        output.write("\n".join(run_text.text(run, color=output.is_colored()) for run in runs), None)
    elif format:
        whole = run_formats.OF_MANY[format](runs) if len(runs) > 1 else run_formats.named(format)(runs[0])
        output.write(whole, out)
