"""What the user said of a run that is to be tracked: read, bounded, and kept as plain data for its journal."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from footprint import records
from footprint.accounting import words as read
from footprint.accounting.site import PLACE, SETTINGS, check_place, site_words
from footprint.catalog import open_catalog
from footprint.catalog.records import PRECISIONS
from footprint.errors import InputError, UnknownName
from footprint.values import Footprint, Range

__all__ = ["BUDGETS", "PLACE", "QUANTITIES", "TrackWords", "track_words"]

BUDGETS = ("budget_kwh", "budget_kgco2e", "budget_usd")
"""Of facility energy, of operational location-based carbon, of electricity."""

ON_BUDGET = ("warn", "signal", "stop")
QUANTITIES = ("params", "active_params", "tokens", "steps", "epochs", "flop_per_token")
_LONGEST_NAME = 200
_LEAST_INTERVAL_S, _MOST_INTERVAL_S = 0.05, 3600.0


@dataclass(frozen=True, slots=True)
class TrackWords:
    """A tracked run's words, checked."""

    name: str
    project: str = ""
    tags: tuple[str, ...] = ()
    place: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Range] = field(default_factory=dict)
    node: str | None = None
    data: str | None = None
    precision: str | None = None
    quantities: Mapping[str, float] = field(default_factory=dict)
    budgets: Mapping[str, float] = field(default_factory=dict)
    on_budget: str | Callable[..., object] = "warn"
    interval_s: float = 1.0
    planned: Footprint | None = None

    def plain(self) -> dict[str, Any]:
        """What a journal keeps of them: nothing of the environment, nothing of the command line."""
        kept: dict[str, Any] = {**self.place, **self.quantities, **self.budgets}
        if self.settings:
            kept["settings"] = {name: f"{r.low!r}:{r.mid!r}:{r.high!r}" for name, r in self.settings.items()}
        return kept | {
            word: value
            for word, value in (("node", self.node), ("data", self.data), ("precision", self.precision))
            if value is not None
        }


def track_words(name: str | None, given: Mapping[str, Any]) -> TrackWords:
    """Read everything that `footprint.track` takes of model, place and budget.

    Raises
    ------
    InputError, UnknownName
        Naming the field, the value, the bound and the fix.
    """
    data = given.get("data")
    words = TrackWords(
        name=label("name", name) if name is not None else default_name(),
        project=label("project", given["project"]) if given.get("project") else "",
        tags=_tags(given.get("tags") or ()),
        place={word: given[word] for word in PLACE if given.get(word) is not None},
        settings=read.settings(given.get("settings"), SETTINGS),
        node=None if given.get("node") is None else str(given["node"]),
        data=None if data is None else str(data),
        precision=None if given.get("precision") is None else str(given["precision"]),
        quantities={w: read.quantity(w, given[w]) for w in QUANTITIES if given.get(w) is not None},
        budgets={w: read.quantity(w, given[w]) for w in BUDGETS if given.get(w) is not None},
        on_budget=_on_budget(given.get("on_budget", "warn")),
        interval_s=_interval(given.get("interval_s", 1.0)),
        planned=_planned(given.get("plan")),
    )
    if words.place or words.data:
        check_place(site_words(words.plain()), open_catalog(words.data))
    if words.node is not None:
        open_catalog(words.data).node(words.node)
    if words.precision is not None and words.precision not in PRECISIONS:
        raise UnknownName("precision", words.precision, PRECISIONS, f"the precisions are {', '.join(PRECISIONS)}")
    return words


def label(field: str, value: Any) -> str:
    """A name that is safe to show, to file and to log.

    Raises
    ------
    InputError
        For text that is empty, too long, or holds slashes, line ends or other control characters.
    """
    if not isinstance(value, str) or not value.strip():
        raise InputError(field, value if value is None else str(value), "must be text", f"give {field} a word or two")
    if len(value) > _LONGEST_NAME:
        raise InputError(field, value, f"is {len(value)} characters long", f"keep it to {_LONGEST_NAME}")
    if re.search(r"[/\\]", value) or value.strip() in (".", ".."):
        raise InputError(field, value, "must not hold slashes", "use - or _ instead")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
        raise InputError(field, repr(value), "must not hold line ends or control characters", "write it in one line")
    return value.strip()


def default_name() -> str:
    """The script's own name."""
    script = Path(sys.argv[0] if sys.argv and sys.argv[0] else "run")
    stem = script.parent.name if script.stem == "__main__" else script.stem
    return re.sub(r"[^\w.-]", "_", stem)[:_LONGEST_NAME].strip("-_.") or "run"


def _planned(given: Any) -> Footprint | None:
    """An estimate: as a value, the JSON file of one, or the name under which it was saved."""
    if given is None or isinstance(given, Footprint):
        return given
    if isinstance(given, os.PathLike) or str(given).endswith(".json") or os.path.isfile(str(given)):
        path = Path(given)
        try:
            return records.from_plain(Footprint, json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            told = f"cannot be read ({error.strerror or error})"
        except ValueError as error:
            told = f"is no estimate{':' if isinstance(error, InputError) else ','} {error}"
        raise InputError("plan", str(path), told, "write one: footprint estimate ... --out plan.json")
    from footprint.store import open_ledger_for_reading  # here, not above: few runs are compared with a saved plan

    with open_ledger_for_reading()[0] as ledger:
        return ledger.plan(str(given))


def _tags(given: str | Iterable[Any]) -> tuple[str, ...]:
    if not isinstance(given, Iterable):
        raise InputError("tags", str(given), "must be words", "write tags=('ablation', 'lr')")
    return tuple(dict.fromkeys(label("tags", tag) for tag in ([given] if isinstance(given, str) else given)))


def _on_budget(given: Any) -> str | Callable[..., object]:
    if callable(given) or given in ON_BUDGET:
        return given  # type: ignore[no-any-return]
    raise InputError("on_budget", str(given), f"must be one of {', '.join(ON_BUDGET)}, or a function", "choose one")


def _interval(given: Any) -> float:
    interval_s = read.quantity("interval_s", given)
    if not _LEAST_INTERVAL_S <= interval_s <= _MOST_INTERVAL_S:
        bound = f"must be from {_LEAST_INTERVAL_S:g} to {_MOST_INTERVAL_S:g} seconds"
        raise InputError("interval_s", given, bound, "1 suits most runs")
    return interval_s
