"""The options that describe a training run and its site, shared by the commands that take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from footprint.cli import output

_RUN = "What is trained"
_WHERE = "Where"
Text = str | None


def _option(help: str, panel: str, metavar: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel, metavar=metavar)


RUN_WORDS: dict[str, Any] = {
    "config": Annotated[Path | None, _option("A Hugging Face config.json.", _RUN, "FILE")],
    "params": Annotated[Text, _option("Parameters, such as 405B.", _RUN, "N")],
    "active_params": Annotated[Text, _option("Parameters active per token (mixture of experts).", _RUN, "N")],
    "tokens": Annotated[Text, _option("Tokens trained on, such as 15.6T.", _RUN, "N")],
    "seq_len": Annotated[Text, _option("Sequence length.", _RUN, "N")],
    "accelerator": Annotated[Text, _option("Accelerator; see: footprint catalog accelerators.", _RUN, "NAME")],
    "count": Annotated[Text, _option("How many accelerators.", _RUN, "N")],
    "precision": Annotated[Text, _option("Such as bf16 or fp8.", _RUN, "NAME")],
    "optimizer": Annotated[Text, _option("Such as adamw.", _RUN, "NAME")],
    "batch_tokens": Annotated[Text, _option("Tokens per optimizer step, such as 4M.", _RUN, "N")],
    "layout": Annotated[Text, _option("Fix parts of the layout: tp=8,pp=16,recompute=none.", _RUN, "PARTS")],
    "framework": Annotated[Text, _option("What trains it, such as megatron-lm or torchtitan.", _RUN, "NAME")],
    "accelerator_hours": Annotated[Text, _option("Known hours, such as 30.84M.", _RUN, "N")],
    "flop": Annotated[Text, _option("Known training FLOP, such as 2.1e25.", _RUN, "N")],
    "reported": Annotated[
        bool | None, typer.Option("--reported", help="Start from the hours that the model's makers reported.")
    ],
    "development": Annotated[
        Text, _option("Count runs before the final one: olmo, idefics, ecologits, olmo-3, or a ratio.", _RUN, "NAME")
    ],
    "node": Annotated[Text, _option("Server or instance; see: footprint catalog nodes.", _RUN, "NAME")],
}
SITE_WORDS: dict[str, Any] = {
    "region": Annotated[Text, _option("Cloud region, such as aws/us-east-1.", _WHERE, "NAME")],
    "country": Annotated[Text, _option("ISO code, such as FRA.", _WHERE, "CODE")],
    "zone": Annotated[Text, _option("Grid zone; see: footprint catalog zones.", _WHERE, "NAME")],
    "operator": Annotated[Text, _option("Whose data centre; see: footprint catalog facilities.", _WHERE, "NAME")],
    "year": Annotated[int | None, _option("Year of training.", _WHERE, "YEAR")],
    "grid": Annotated[
        Text, _option("Intensity from: ember, electricitymaps, egrid, authorities, owid or codecarbon.", _WHERE, "NAME")
    ],
    "provider": Annotated[Text, _option("Whose prices; see: footprint catalog prices.", _WHERE, "NAME")],
}
SET = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Fix a field: pue=1.09, mfu=0.35:0.45. May be repeated."),
]
Data = Annotated[Path | None, typer.Option(metavar="DIR", help="A folder with your own rows; see data/README.md.")]
OutFormat = Annotated[
    output.Format | None, typer.Option("--format", "-f", help="How to print; guessed from --out.", show_default=False)
]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file instead of stdout.")]


def takes_words(*groups: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups and --set; it receives those given as `words`."""
    options = {name: kind for group in groups for name, kind in group.items()} | {"set_": SET}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "words"]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
            for name, kind in options.items()
        ]
        first = [p for p in own if p.default is inspect.Parameter.empty or p.name.startswith("subject")]
        last = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own if p not in first]

        @wraps(command)
        def wrapper(**given: Any) -> None:
            words = {name: given.pop(name) for name in options}
            settings = parse_settings(words.pop("set_") or ())
            words = {name: value for name, value in words.items() if value is not None}
            command(words=words | ({"settings": settings} if settings else {}), **given)

        parameters = [*first, *added, *last]
        wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapper

    return decorate


def parse_settings(pairs: Iterable[str]) -> dict[str, str]:
    """'pue=1.09' and 'mfu=0.35:0.45' as a dictionary; the values are read where they are used."""
    settings = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise typer.BadParameter(f"{pair!r} is not FIELD=VALUE, such as pue=1.09", param_hint="--set")
        settings[name.strip()] = value.strip()
    return settings
