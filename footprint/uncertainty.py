"""Ranges become arrays of draws, the same formulas run, arrays become ranges again.

Slot 0 of every array is the mid value, so the mid of a result equals the plain calculation to the last
digit. A field's draws depend on its name alone: a new field never moves old results, and one PUE draw
serves carbon, water and cost alike. Stages of a plan share the draws of a field, so their errors add up
rather than cancel: the wider and safer reading.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from footprint.units import unit_of
from footprint.values import HIGH_SHARE, LOW_SHARE, Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[np.float64]"
Record = TypeVar("Record")

DRAWS = 2048
_Z = NormalDist().inv_cdf(HIGH_SHARE)
_AT_MOST_ONE = ("mfu", "hfu", "goodput", "share", "utilization")


@lru_cache(maxsize=512)
def draws(field: str, value: Range) -> Array | float:
    """Slot 0 the mid, then `DRAWS` values whose 5th and 95th percentiles are the range's ends.

    Two half-normals that meet at the mid, on a log scale where the whole range is positive. Shares stay
    at or below one, PUE at or above one. A certain quantity stays a plain number.
    """
    if value.low == value.high:
        return value.mid
    import numpy as np  # here, not above: a tracked run takes mids alone, and must stay light

    z = _normal_scores(field)
    out = np.empty(DRAWS + 1)
    out[0] = value.mid
    if value.low > 0:
        down, up = np.log(value.mid / value.low) / _Z, np.log(value.high / value.mid) / _Z
        out[1:] = value.mid * np.exp(np.where(z < 0, z * down, z * up))
    else:
        down, up = (value.mid - value.low) / _Z, (value.high - value.mid) / _Z
        out[1:] = np.maximum(value.mid + np.where(z < 0, z * down, z * up), min(value.low, 0.0))
    if field == "pue":
        out[1:] = np.maximum(out[1:], 1.0)
    elif unit_of(field) == "" and field.rsplit("_", 1)[-1] in _AT_MOST_ONE and value.high <= 1:
        out[1:] = np.minimum(out[1:], 1.0)
    out.setflags(write=False)
    return out


@lru_cache(maxsize=256)
def _normal_scores(field: str) -> Array:
    import numpy as np

    scores = np.random.default_rng(zlib.crc32(field.encode())).permutation(_sorted_scores())
    scores.setflags(write=False)
    return scores


@lru_cache(maxsize=1)
def _sorted_scores() -> Array:
    import numpy as np

    inverse = NormalDist().inv_cdf
    half = np.array([inverse((i + 0.5) / DRAWS) for i in range(DRAWS // 2)])
    return np.concatenate([half, -half[::-1]])


def draw(record: Record) -> Record:
    """A copy of a record in which every uncertain Range is an array of draws and every certain one a number."""
    return _swap(record, draws)


def summarise(value: Any) -> Range:
    """The range of an array of draws: 5th percentile, slot 0, 95th percentile (nearest rank)."""
    if not getattr(value, "ndim", 0):
        return Range.exactly(float(value))
    import numpy as np

    ranks = (int(LOW_SHARE * (len(value) - 2)), int(np.ceil(HIGH_SHARE * (len(value) - 2))))
    ordered = np.partition(value[1:], ranks)
    middle = float(value[0])
    return Range(min(float(ordered[ranks[0]]), middle), middle, max(float(ordered[ranks[1]]), middle))


def summarise_record(record: Record) -> Record:
    """A copy of a record whose arrays and numbers in Range fields are ranges again."""
    if not dataclasses.is_dataclass(record) or isinstance(record, type):
        return record
    changes: dict[str, Any] = {}
    for name, is_range in _fields_of(record):
        value = getattr(record, name)
        if is_range and value is not None and not isinstance(value, Range):
            changes[name] = summarise(value)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            changes[name] = tuple(summarise_record(item) for item in value)
        elif dataclasses.is_dataclass(value) and not isinstance(value, Range):
            changes[name] = summarise_record(value)
    return dataclasses.replace(record, **changes) if changes else record


def one_at_a_time(records: tuple[Any, ...]) -> tuple[list[str], tuple[Any, ...]]:
    """Copies in which slot 0 is mid, slot 2i+1 has the i-th uncertain field at its low end, slot 2i+2 at its high.

    Returns the names of the uncertain fields, in slot order, and the swapped records.
    """
    import numpy as np

    names = sorted({name for record in records for name, value in _ranges(record) if value.low < value.high})
    place = {name: 2 * i + 1 for i, name in enumerate(names)}

    def corners(field: str, value: Range) -> Array | float:
        if field not in place or value.low == value.high:
            return value.mid
        out = np.full(2 * len(names) + 1, value.mid)
        out[place[field]], out[place[field] + 1] = value.low, value.high
        return out

    return names, tuple(_swap(record, corners) for record in records)


def mids(record: Record) -> Record:
    """A copy of a record in which every Range is its mid value."""
    return _swap(record, lambda _, value: value.mid)


def _swap(record: Record, by: Callable[[str, Range], Array | float]) -> Record:
    changes: dict[str, Any] = {}
    for name, _ in _fields_of(record):
        value = getattr(record, name)
        if isinstance(value, Range):
            changes[name] = by(name, value)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            changes[name] = tuple(_swap(item, by) for item in value)
        elif dataclasses.is_dataclass(value):
            changes[name] = _swap(value, by)
    return dataclasses.replace(record, **changes) if changes else record  # type: ignore[type-var]


def _ranges(record: Any) -> Iterator[tuple[str, Range]]:
    for name, _ in _fields_of(record):
        value = getattr(record, name)
        if isinstance(value, Range):
            yield name, value
        else:
            for item in value if isinstance(value, tuple) else (value,):
                if dataclasses.is_dataclass(item):
                    yield from _ranges(item)


def _fields_of(record: Any) -> tuple[tuple[str, bool], ...]:
    return _range_fields(record.__class__)


@lru_cache(maxsize=64)
def _range_fields(kind: Hashable) -> tuple[tuple[str, bool], ...]:
    """The fields that may hold ranges (True), or records and tuples of records (False)."""
    kinds = [(field.name, str(field.type)) for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    plain = ("str", "int", "float", "bool")
    return tuple((name, text in ("Range", "Range | None")) for name, text in kinds if not text.startswith(plain))
