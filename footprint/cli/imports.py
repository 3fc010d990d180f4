"""`footprint import`: what other tools recorded, put into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from footprint.cli import output
from footprint.cli.ledger import Store
from footprint.cli.words import SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import DataError, InputError, close_names
from footprint.moments import moment

if TYPE_CHECKING:
    from footprint.fleet.codecarbon import Imported as Table
    from footprint.fleet.imported import Asked, Imported
    from footprint.store.ledger import Ledger
    from footprint.values import Run


class Kinds(TyperGroup):
    """Takes a file for a command too: then its kind is found by what is in it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of this name, or for this file."""
        if args and args[0] not in self.commands:
            if not Path(args[0]).exists():
                near = close_names(args[0], self.commands)
                hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
                ctx.fail(f"'{args[0]}' is neither a file that is there nor a kind: {', '.join(self.commands)}.{hint}")
            from footprint.fleet.kinds import kind_of

            kind = kind_of(Path(args[0]))
            if kind is None:
                fix = f"name its kind: footprint import KIND FILE, with KIND one of {', '.join(self.commands)}"
                raise InputError("file", args[0], "is of no kind that can be told by what is in it", fix)
            args = [kind, *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="import",
    cls=Kinds,
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="[KIND] FILE...",
)

_MOST_TOLD = 20
_FROM_FILE = "What the file does not say"
Text = str | None
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files or folders; see above for which.")]
_SAVE = typer.Option("--save/--dry-run", help="Put runs into the ledger, or tell them alone.", show_default="save")


def _option(help: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=_FROM_FILE)


_NAMES: dict[str, Any] = {
    "name": Annotated[Text, _option("What to call the run.", "NAME")],
    "project": Annotated[Text, _option("Whose it is.", "NAME")],
}
_MODEL: dict[str, Any] = {"accelerator": Annotated[Text, _option("Which: footprint catalog accelerators.", "NAME")]}
_PLACES: dict[str, Any] = {"gpus": Annotated[Text, _option("Those of a host's that were the run's: 0-3.", "PLACES")]}
_COUNT: dict[str, Any] = {"count": Annotated[int | None, _option("How many accelerators.", "N", "--count", "--gpus")]}
_BEGIN: dict[str, Any] = {"begin": Annotated[Text, _option("When it began: 2026-11-01T08:00 (UTC).", "WHEN", "--from")]}
_PRECISION: dict[str, Any] = {"precision": Annotated[Text, _option("Of the work, for its MFU: bf16, fp8.", "NAME")]}

_WHAT_BECOMES: dict[str, Any] = {
    "save": Annotated[bool | None, _SAVE], "store": Store, "data": Data, "format": OutFormat, "out": Out,
}  # fmt: skip


@app.callback()
def imports() -> None:
    """Put what other tools recorded into the ledger of runs.

    Each run gets its grade of evidence: A by energy counters, B by power, C by use, D by hours and a rating.
    Importing the same file twice adds nothing; one that has grown since takes its own place. Without KIND, a
    file is looked into: footprint import mlruns.

    \b
    Examples:
      footprint import wandb wandb/offline-run-20261101_080000-1a2b3c
      footprint import mlflow mlruns --accelerator h100-sxm --country FR
      footprint import megatron train.log --accelerator h100-sxm
      footprint import trainer-state out --accelerator h100-sxm --count 8
    """


@app.command(short_help="Weights & Biases: run folders, exported metrics.")
@takes_words(_MODEL, _PLACES, _BEGIN, _NAMES, SITE_WORDS, _WHAT_BECOMES)
def wandb(words: dict[str, Any], files: Files) -> None:
    """Import runs of Weights & Biases: a run's folder, its run-*.wandb, or exported system metrics.

    Energy is by the driver's counter where it was recorded, else by its power each 15 s. Exports are those of
    run.history(stream="system") as CSV, JSON or Parquet, or of a chart of GPU power.

    \b
    Examples:
      footprint import wandb wandb/
      footprint import wandb history.csv --accelerator h100-sxm --gpus 0-3
    """
    _import("wandb", files, words)


@app.command(short_help="MLflow: mlruns folders, mlflow.db.")
@takes_words(_MODEL, _PLACES, _NAMES, SITE_WORDS, _WHAT_BECOMES)
def mlflow(words: dict[str, Any], files: Files) -> None:
    """Import runs of MLflow with system metrics: a folder mlruns, a part of it, or the file of a SQLite store.

    Energy is by the driver's power each 10 s. MLflow does not name the accelerators: --accelerator does.

    \b
    Examples:
      footprint import mlflow mlruns --accelerator h100-sxm
      footprint import mlflow mlflow.db --accelerator a100-sxm --country SE
    """
    _import("mlflow", files, words)


@app.command(short_help="Trackio: a project's database, exports.")
@takes_words(_MODEL, _PLACES, _NAMES, SITE_WORDS, _WHAT_BECOMES)
def trackio(words: dict[str, Any], files: Files) -> None:
    """Import runs of Trackio: a project's file, or its system metrics exported as Parquet, CSV or JSON.

    Energy is by the driver's counter. Trackio does not name the accelerators: --accelerator does.

    \b
    Examples:
      footprint import trackio ~/.cache/huggingface/trackio --dry-run
      footprint import trackio demo.db --accelerator h100-sxm --country SE
    """
    _import("trackio", files, words)


@app.command(short_help="Logs of Megatron-LM, nanotron, torchtitan.")
@takes_words(_MODEL, _COUNT, _PRECISION, _BEGIN, _NAMES, SITE_WORDS, _WHAT_BECOMES)
def megatron(words: dict[str, Any], files: Files) -> None:
    """Import the log of a training: Megatron-LM and its kin, nanotron or torchtitan.

    Energy is that of Megatron's --log-energy; pauses are filled in. Without it hours and work are the log's, and
    energy follows from the rating. Starts in one log are told apart.

    \b
    Examples:
      footprint import megatron train.log --accelerator h100-sxm
      footprint import megatron train.log --count 64 --region aws/us-east-1
    """
    _import("megatron", files, words)


@app.command("trainer-state", short_help="Hugging Face's trainer_state.json.")
@takes_words(_MODEL, _COUNT, _PRECISION, _BEGIN, _NAMES, SITE_WORDS, _WHAT_BECOMES)
def trainer_state(words: dict[str, Any], files: Files) -> None:
    """Import Hugging Face's trainer_state.json: work and hours; it holds no energy, which follows from the rating.

    Without train_runtime in its log, hours are those of a plan with its total_flos.

    \b
    Examples:
      footprint import trainer-state out --accelerator a100-sxm --count 8
    """
    _import("trainer-state", files, words)


@app.command(short_help="codecarbon's emissions.csv, of any version.")
def codecarbon(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="codecarbon's emissions.csv, of any version.")],
    save: Annotated[bool, _SAVE] = True,
    store: Store = None,
    data: Data = None,
) -> None:
    """Import runs that codecarbon measured, assessed with footprint's own grid, water and prices.

    Its energy is taken, with the PUE taken out again; its carbon is kept in a note. A run is
    known by codecarbon's id: importing a file twice adds nothing. A row that cannot be read is
    listed with its line.

    \b
    Examples:
      footprint import codecarbon emissions.csv
      footprint import codecarbon --dry-run old/*.csv
      footprint runs list --tag codecarbon
    """
    from footprint.fleet import codecarbon as importer
    from footprint.fleet.kinds import CODECARBON, redirected

    found = []
    for path in files:
        try:
            found.append(importer.read(path, data))
        except DataError as error:
            raise redirected(error, CODECARBON, path) from error
    told = _put([one.runs for one in found], store, save=save)
    for one, what in zip(found, told, strict=True):
        _tell_runs(one.runs)
        output.write(_told(one, what), None)
        output.notes(_problems(one))
    if not any(one.runs for one in found):
        raise typer.Exit(1)


def _import(kind: str, files: Sequence[Path], words: dict[str, Any]) -> None:
    """Read all, then save all: a wrong file is refused before any run is added."""
    from footprint.catalog import open_catalog
    from footprint.fleet import kinds

    save = words.pop("save", True)
    store, data, format, out = (words.pop(word, None) for word in ("store", "data", "format", "out"))
    chosen = output.chosen(format, out)
    catalog = open_catalog(data)
    asked = _asked(words, data)
    found = [kinds.read(kind, path, asked, catalog, _hours_of(data)) for path in files]
    runs = [run for one in found for run in one.runs]
    is_whole = format is not None or out is not None
    if is_whole and len(runs) != 1:
        raise InputError("format", chosen, f"is for one run, and there are {len(runs)}", "import one file, or none so")
    if asked.name and len(runs) != 1:
        raise InputError("name", asked.name, f"is for one run, and there are {len(runs)}", "leave it out")
    told = _put([one.runs for one in found], store, save=save)
    if is_whole:
        _show(runs[0], chosen, out)
    for one, what in zip(found, told, strict=True):
        _tell(one, what, quiet=is_whole)
    if not runs:
        raise typer.Exit(1)


def _asked(words: dict[str, Any], data: Path | None) -> Asked:
    from footprint.catalog import open_catalog
    from footprint.fleet.devices import place_list
    from footprint.fleet.imported import Asked
    from footprint.measurement.tracker.words import label, track_words

    own = {word: words.pop(word, None) for word in ("accelerator", "gpus", "count", "begin", "name", "project")}
    if own["count"] is not None and own["count"] < 1:
        raise InputError("count", own["count"], "must be 1 or more", "count the accelerators")
    checked = track_words("import", {**words, "data": data})
    return Asked(
        model=None if own["accelerator"] is None else open_catalog(data).accelerator(own["accelerator"]).id,
        places=None if own["gpus"] is None else frozenset(place_list(own["gpus"])),
        count=own["count"],
        started_utc_s=None if own["begin"] is None else moment("from", own["begin"]).timestamp(),
        name="" if own["name"] is None else label("name", own["name"]),
        project="" if own["project"] is None else label("project", own["project"]),
        words=checked.plain(),
    )


def _hours_of(data: Path | None) -> Any:
    """What a plan of so much work is estimated to take, by the estimator's own door."""

    def hours(flop: float, accelerator: str, count: int) -> Any:
        from footprint.estimation.doors import estimate

        found = estimate(flop=flop, accelerator=accelerator, count=count, data=data).usage.wall_clock_h
        assert found is not None
        return found

    return hours


def _put(found: Sequence[Sequence[Run]], store: str | None, *, save: bool) -> list[str]:
    """Save each file's runs; what became of them, or what would."""
    if not save:
        return [f"{len(runs)} to add" for runs in found]
    from footprint.store import open_ledger

    with open_ledger(store) as ledger:
        return [_saved(runs, ledger) for runs in found]


def _saved(runs: Sequence[Run], ledger: Ledger) -> str:
    """Put the new ones in, and those that have grown in the place of what they were."""
    from footprint.store.entries import IMPORTED

    known = {entry.id: entry for entry in ledger.list()}
    added = changed = 0
    for run in runs:
        entry = known.get(run.id)
        if entry is not None and (entry.kind != IMPORTED or entry.ended_utc_s >= run.ended_utc_s):
            continue
        ledger.save(run, IMPORTED)
        added, changed = added + (entry is None), changed + (entry is not None)
    told = [f"{added} added"]
    told += [f"{changed} grown since"] if changed else []
    told += [f"{len(runs) - added - changed} known already"] if len(runs) > added + changed else []
    return ", ".join(told)


def _show(run: Run, format: str, out: Path | None) -> None:
    if format == output.Format.text.value and out is None:
        from footprint.report import run_text

        output.write(run_text.text(run, color=output.is_colored()), None)
        return
    from footprint.report import run_formats

    output.write(run_formats.named(format)(run), out)


def _tell(found: Imported, what: str, *, quiet: bool) -> None:
    """A line or two a run, what became of them, and notes on stderr."""
    if not quiet:
        _tell_runs(found.runs)
        output.write(f"{found.path}: {what}", None)
    output.notes([*(note for run in found.runs[:_MOST_TOLD] for note in run.notes), *found.problems])


def _tell_runs(runs: Sequence[Run]) -> None:
    from footprint.report import job_line

    for run in runs[:_MOST_TOLD]:
        output.write(job_line.text(run), None)
    if len(runs) > _MOST_TOLD:
        output.write(f"and {len(runs) - _MOST_TOLD} more: footprint runs list", None)


def _told(found: Table, what: str) -> str:
    rest = []
    if found.earlier:
        count = len(found.earlier)
        rest.append(
            "1 row is an earlier stand of its run" if count == 1 else f"{count} rows are earlier stands of runs"
        )
    if found.bad:
        rest.append(f"{len(found.bad)} row{'' if len(found.bad) == 1 else 's'} cannot be read")
    return f"{found.path}: " + ", ".join([what, *rest])


def _problems(found: Table) -> list[str]:
    """Each bad row with its line; where there are very many, the first ones and the lines of the others."""
    told = [f"{found.path}, line {line}: {problem}" for line, problem in found.bad[:_MOST_TOLD]]
    others = ", ".join(str(line) for line, _ in found.bad[_MOST_TOLD:])
    return [*told, *([f"{found.path}: nor can lines {others} be read"] if others else [])]
