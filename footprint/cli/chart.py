"""`footprint chart`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.ledger import Store
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, takes_words
from footprint.errors import InputError, UnknownName

OF_PLAN = ("answer", "bridge", "tornado", "hours", "world", "regions", "heatmap", "pareto", "scaling", "layout")
OF_PLANS = ("compare", "quality")
OF_RUN = ("power", "components", "cumulative", "planned", "idle")
OF_ALL = ("history", "throughput", "backtest")
KINDS = (*OF_PLAN, *OF_PLANS, *OF_RUN, *OF_ALL, "profile")
"""The names of `footprint.charts.KINDS`, known without importing it."""

LISTS = {
    "heatmap": {},
    "pareto": {"accelerator": "accelerators", "count": "counts", "region": "regions"},
    "hours": {"count": "counts"},
    "regions": {"provider": "providers"},
    "world": {"zone": "zones"},
}
"""Charts that take lists, and what the listed words are called there."""


@takes_words(RUN_WORDS, SITE_WORDS)
def chart(
    words: dict[str, Any],
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which chart, as listed above.", show_default=False)],
    subjects: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL | PLAN.yaml | RUN]...", help="What it shows.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="NAME", help="scaling, layout: which stage; the first unless named.")
    ] = None,
    batch_follows: Annotated[
        bool, typer.Option("--batch-follows", help="scaling: tokens a step grow with the count.")
    ] = False,
    quantity: Annotated[
        str | None, typer.Option(metavar="FIELD", help="heatmap: what is drawn, such as rental_on_demand_usd.")
    ] = None,
    theme: Annotated[str | None, typer.Option(metavar="light|dark", help="A page follows the reader's screen.")] = None,
    store: Store = None,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to draw: .html, .json, or an image with kaleido."),
    ] = None,
) -> None:
    """Draw a plan, several, a run, or all that was measured.

    \b
    A plan:   answer      energy and CO2e by part
              bridge      from the model card's energy to the facility's
              tornado     what moves the answer
              hours       hours, days and dollars by count
              world       a map by country
              regions     the clouds' regions ranked
              heatmap     two words given as lists
              pareto      dollars, tonnes and days of several choices
              scaling     MFU by count
              layout      MFU by tensor and pipeline size
    Plans:    compare     side by side
              quality     published scores against tonnes
    A run:    power       over time, with windows
              components  measured, modelled, assumed
              cumulative  CO2e and its forecast
              planned     planned against actual
              idle        the share drawn while idle
              profile     a zone's hours, with a run on them
    All:      history     runs by month and project
              backtest    reported and estimated hours
              throughput  predicted and measured MFU

    \b
    Examples:
      footprint chart answer llama-3.1-405b --out answer.html
      footprint chart compare llama-3.1-70b gpt-4 --out compare.png
      footprint chart world --params 7B --tokens 2T --accelerator h100-sxm --out world.html
      footprint chart heatmap --params 7B --tokens 1T,2T,4T --accelerator h100-sxm --count 64,256 -o h.html
      footprint chart pareto llama-3.1-8b --accelerator a100-80gb,h100-sxm --count 256,512 -o pareto.html
      footprint chart power sft-7b --out power.html
      footprint chart scaling llama-3.1-405b --out scaling.html
    """
    if kind not in KINDS:
        raise UnknownName("chart", kind, KINDS, "known: " + ", ".join(KINDS))
    if out is None:
        raise InputError("out", None, "is missing", f"give a file, such as --out {kind}.html (or .json .png .svg .pdf)")
    given = list(subjects or ())
    if kind in OF_ALL and (given or words or stage is not None):
        told = given[0] if given else stage or next(iter(words))
        raise InputError("chart", kind, f"shows all that was measured and takes no {told}", f"leave {told} out")
    if len(given) > 1 and kind not in OF_PLANS:
        raise InputError("chart", kind, f"shows one thing, not {len(given)}", "name one; compare shows several")
    if batch_follows and kind != "scaling":
        raise InputError("chart", kind, "has no batch that follows", "leave out --batch-follows")
    if stage is not None and kind not in ("scaling", "layout"):
        raise InputError("chart", kind, "shows all stages", "leave out --stage")
    if store is not None and kind not in (*OF_RUN, "history"):
        raise InputError("chart", kind, "shows nothing that a ledger holds", "leave out --store")
    if quantity is not None and kind != "heatmap":
        raise InputError("chart", kind, "has one quantity", "leave out --quantity")
    options = {
        "stage": stage,
        "batch_follows": batch_follows or None,
        "output": quantity,
        "data": data,
        "ledger": store,
    }
    from footprint import charts

    known = {name: value for name, value in options.items() if value is not None}
    figure = charts.draw(kind, *given, **_words(kind, words), **known)
    write(figure, out, theme=theme or "")
    output.notes((figure.layout.meta or {}).get("notes", ()))


def _words(kind: str, words: dict[str, Any]) -> dict[str, Any]:
    """Words as a chart takes them: values with commas are lists where it takes lists."""
    if kind not in LISTS:
        return words
    names = LISTS[kind]
    found: dict[str, Any] = {}
    for name, value in words.items():
        if name == "settings":
            found[name] = {field: _listed(told) if kind == "heatmap" else told for field, told in value.items()}
        elif name in names or kind == "heatmap":
            listed = _listed(value)
            is_list = isinstance(listed, list)
            found[names.get(name, name) if is_list else name] = _counted(name, listed) if is_list else value
        else:
            found[name] = value
    return found


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) and "," in value else value


def _counted(name: str, values: list[str]) -> list[Any]:
    from footprint.units import read_quantity

    return [int(read_quantity(value, name)) for value in values] if name == "count" else values


def write(figure: Any, path: Path, field: str = "out", theme: str = "") -> None:
    """A chart into a file; what cannot be written is told in one line."""
    from footprint.report import charts

    try:
        charts.write(figure, path, theme)
    except OSError as error:
        raise output.unwritable(field, path, error) from error


def draw(kind: str, result: Any, path: Path, field: str = "out") -> None:
    """Draw a result of that kind into a file."""
    from footprint.report import charts

    write(charts.CHARTS[kind](result), path, field)
