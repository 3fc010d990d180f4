"""Runs by the `trainer_state.json` of Hugging Face's Trainer: work, and hours where it logged them; no energy.

`total_flos` is 6 x parameters without embeddings x tokens, over all processes: no attention, no recomputation. The log
tells `train_runtime` of each start since it began; where that falls, the training was started anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from footprint.catalog import Catalog
from footprint.errors import DataError, InputError
from footprint.fleet.gathering import Interval
from footprint.fleet.imported import Asked, Imported, Record, assessed, digest
from footprint.fleet.megatron import MOST_DEVICES, spread
from footprint.fleet.row_files import number_of
from footprint.units import S_PER_H
from footprint.values import MeterUsage, Progress, Range

__all__ = ["EXPECTED", "FILE", "MOST_BYTES", "Hours", "read"]

FILE = "trainer_state.json"
EXPECTED = "trainer_state.json of Hugging Face's Trainer, or the folder of a run or checkpoint that holds one"
Hours = Callable[[float, str, int], Range]
"""Wall-clock hours of so much FLOP on so many accelerators of a kind: what a plan of them is estimated to take."""

MOST_BYTES = 2**29
_CHECKPOINT = re.compile(r"^checkpoint-(\d{1,12})$")
_MOST_S = 1e10
_TOOL = "trainer-state"


def read(path: Path, asked: Asked, catalog: Catalog, hours_of: Hours | None = None) -> Imported:
    """The run of a file.

    Raises
    ------
    DataError
        When it is none of the Trainer's; its message names what was expected.
    InputError
        When accelerators are not named and counted, or it holds neither hours nor work.
    """
    file = _file(path)
    state, modified_s = _state(file)
    if asked.model is None:
        raise InputError("accelerator", None, f"is missing: {FILE} names none", "give --accelerator h100-sxm --count 8")
    if asked.count is None:
        raise InputError("count", None, f"is missing: {FILE} does not tell it", "give --count 8")
    if asked.count > MOST_DEVICES:
        raise InputError("count", asked.count, f"must be at most {MOST_DEVICES}", "count accelerators")
    log = [one for one in state.get("log_history") or () if isinstance(one, dict)]
    steps, flop = _number(state, "global_step"), _number(state, "total_flos")
    record = Record(_TOOL, digest(*_first(state, log)), f"{file.absolute().parent.name}/{file.name}", name=_name(file))
    record.progress = Progress(
        steps_count=steps,
        tokens=_number(state, "num_input_tokens_seen"),
        epochs_count=_number(state, "epoch"),
        total_steps_count=_number(state, "max_steps") or None,
        training_flop=flop or None,
    )
    hours = _hours(log, steps, flop, asked, hours_of, record)
    duration_s = hours.mid * S_PER_H
    begun_s = modified_s - duration_s if asked.started_utc_s is None else asked.started_utc_s
    span = Interval(begun_s, begun_s + duration_s)
    meters = tuple(_widened(spread(asked.count, asked.model, span, catalog), hours))
    record.notes += _told(flop, asked)
    run = assessed(record, [span], meters, asked, catalog)
    if run.mfu is not None and run.mfu > 1:
        told = f"its total_flos in these hours would be an MFU of {run.mfu:.3g}: check --accelerator and --count"
        run = replace(run, notes=(told, *run.notes))
    return Imported(path, (run,))


def _file(path: Path) -> Path:
    """The file itself, or a folder's, or its last checkpoint's."""
    if not path.is_dir():
        return path
    if (path / FILE).is_file():
        return path / FILE
    found = [(int(match[1]), one) for one in path.iterdir() if (match := _CHECKPOINT.match(one.name))]
    for _, one in sorted(found, reverse=True):
        if (one / FILE).is_file():
            return one / FILE
    raise DataError(path, None, None, f"holds no {FILE}; expected {EXPECTED}")


def _state(file: Path) -> tuple[Mapping[str, Any], float]:
    try:
        stat = file.stat()
        if stat.st_size > MOST_BYTES:
            raise DataError(file, None, None, f"is too large; expected {EXPECTED}")
        state = json.loads(file.read_text(encoding="utf-8-sig", errors="replace"))
    except OSError as error:
        raise DataError(file, None, None, f"cannot be read ({error.strerror or error}); expected {EXPECTED}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(file, None, None, f"is no JSON; expected {EXPECTED}") from error
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list) or "global_step" not in state:
        raise DataError(file, None, None, f"has no log_history and global_step; expected {EXPECTED}")
    return state, stat.st_mtime


def _number(told: Mapping[str, Any], name: str) -> float:
    return max(number_of(told.get(name)) or 0.0, 0.0)


def _first(state: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What all checkpoints of a run have in common, and no other run has."""
    yield json.dumps(log[0] if log else state, sort_keys=True, default=str)
    for name in ("max_steps", "num_train_epochs", "train_batch_size"):
        yield str(state.get(name))


def _name(file: Path) -> str:
    folder = file.absolute().parent
    return (folder.parent if _CHECKPOINT.match(folder.name) else folder).name


def _hours(
    log: Sequence[Mapping[str, Any]], steps: float, flop: float, asked: Asked, hours_of: Hours | None, record: Record
) -> Range:
    """By its own clock, carried on to the last step; else what such work is estimated to take."""
    assert asked.model is not None
    assert asked.count is not None
    runtime_s, seen, starts = _runtime(log)
    if runtime_s:
        if 0 < seen < steps:
            runtime_s *= steps / seen
            record.notes.append(f"train_runtime is told up to step {seen:g} of {steps:g}: carried on to the last")
        told = f"{starts} starts, " if starts > 1 else "of a training that was resumed it may be the last start's; "
        record.notes.append(f"hours by train_runtime: {told}what a start did beyond its last checkpoint is not in it")
        return Range.exactly(min(runtime_s, _MOST_S) / S_PER_H)
    if not flop or hours_of is None:
        raise InputError("log_history", None, "has no train_runtime, and there is no total_flos", "hours are not known")
    hours = hours_of(flop, asked.model, asked.count)
    span = f"{hours.low:.3g} to {hours.high:.3g} h"
    record.notes.append(f"it tells no hours: those of a plan with its total_flos, {hours.mid:.3g} h ({span})")
    return hours


def _runtime(log: Sequence[Mapping[str, Any]]) -> tuple[float, float, int]:
    """Seconds of all starts, the last step of which they are told, and how many starts there were."""
    total_s = last_s = step = 0.0
    starts = 0
    for one in log:
        runtime_s = number_of(one.get("train_runtime"))
        if runtime_s is None or runtime_s <= 0:
            continue
        if runtime_s < last_s or not starts:
            total_s += last_s if starts else 0.0
            starts += 1
        last_s = runtime_s
        step = _number(one, "step") or step
    return total_s + last_s, step, starts


def _widened(meters: Iterator[MeterUsage], hours: Range) -> Iterator[MeterUsage]:
    """Energy with what is not known of the hours."""
    for one in meters:
        low, high = hours.low / hours.mid, hours.high / hours.mid
        energy = one.it_energy_kwh
        yield replace(one, it_energy_kwh=Range(energy.low * low, energy.mid, energy.high * high))


def _told(flop: float, asked: Asked) -> Iterator[str]:
    if flop:
        yield (
            "FLOP by total_flos: 6 x parameters without embeddings x tokens, without attention; with frozen parameters "
            "(LoRA) it is too many"
        )
    else:
        yield "no total_flos: the model does not count its FLOP"
    if asked.started_utc_s is None:
        yield "it tells no date: its end is the file's; --from says when it began"
