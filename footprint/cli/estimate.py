"""`footprint estimate`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.ledger import Store
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import InputError

Subject = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL | FAMILY | PLAN.yaml | PAGE.html]", help="See: footprint catalog models.", show_default=False
    ),
]


@takes_words(RUN_WORDS, SITE_WORDS)
def estimate(
    words: dict[str, Any],
    subject: Subject = None,
    sensitivity: Annotated[bool, typer.Option("--sensitivity", help="Show which inputs move the result.")] = False,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep it under this name, to be compared with what is measured.")
    ] = None,
    store: Store = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Estimate what a training run costs.

    \b
    Examples:
      footprint estimate llama-3.1-405b
      footprint estimate --params 7B --tokens 2T --accelerator h100-sxm --count 512 --region aws/us-east-1
      footprint estimate --config config.json --tokens 2T --accelerator a100-80gb --country FRA
      footprint estimate --accelerator-hours 39.3M --accelerator h100-sxm --country USA
      footprint estimate llama-3.1-405b --set pue=1.05 --set mfu=0.35:0.45 --out run.json
      footprint estimate --params 7B --tokens 2B --accelerator h100-sxm --count 8 --save sft-7b
    """
    if store is not None and save is None:
        raise InputError("store", None, "is for a plan that is kept", "give --save NAME, or leave it out")
    check_asked(subject, words)
    name = output.chosen(format, out)
    from footprint.estimation import doors, retold

    result = doors.estimate(subject, data=data, sensitivity=sensitivity, **words)
    output.show(result, name, out)
    output.notes([*result.notes, *retold.changed(subject, result)])
    if save is not None:
        from footprint.store import open_ledger

        with open_ledger(store) as ledger:
            ledger.save_plan(result, save)
            where = f" in {ledger.place}" if store is not None else ""
        how = f"footprint track --plan {shlex.quote(save)} -- COMMAND compares with it"
        output.notes([f"kept as {save}{where}: {how}{', FOOTPRINT_STORE being that ledger' if where else ''}"])


def check_asked(subject: str | None, words: dict[str, Any]) -> None:
    """Refuse a command without a word of what is meant; a missing word of several is told where it is missed."""
    if subject is None and not words:
        fix = "name a model (footprint catalog models) or a plan.yaml, or give --params, --tokens and --accelerator"
        raise InputError("plan", None, "is missing", fix)
