"""The words of SLURM's accounting: ids, times, spans, TRES, states and the many ways to say that nothing is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from footprint.units import BYTES_PER_GIB, H_PER_DAY, S_PER_H, S_PER_MINUTE

__all__ = [
    "MIXED",
    "JobId",
    "accelerators",
    "amounts",
    "job_id",
    "joules",
    "known",
    "seconds",
    "status",
    "time_of",
    "tres",
]

MIXED = "+"
"""Between types of accelerators of one job."""

_NOTHING = frozenset(
    (
        "", "unknown", "none", "none assigned", "n/a", "na", "invalid", "(null)", "null", "unlimited",
        "4294967294", "4294967295", "18446744073709551614", "18446744073709551615",
    )
)  # fmt: skip
"""Empty, words, and NO_VAL and INFINITE of 32 and 64 bits."""

_ID = re.compile(r"([0-9]{1,18})(?:_([0-9]{1,18}|\[[^\]]*\]?))?(?:\+([0-9]{1,9}))?(?:\.(.+))?")
_EPOCH = re.compile(r"[0-9]{9,11}")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]{1,6})?)(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_SPAN = re.compile(r"(?:(?:([0-9]{1,6})-)?([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2}(?:\.[0-9]{1,6})?)")
_NO_VALUE = 2.0**63
_COUNT = re.compile(r"[0-9]{1,9}")
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([KMGTP]?)")
_BYTES = {"": 2.0**20, "K": 2.0**10, "M": 2.0**20, "G": 2.0**30, "T": 2.0**40, "P": 2.0**50}
"""Of a letter after memory; SLURM counts it in MB where there is none."""

_STATUS = {
    "COMPLETED": "finished", "COMPLETING": "running", "RUNNING": "running", "SUSPENDED": "running",
    "RESIZING": "running", "SIGNALING": "running", "STAGE_OUT": "running", "STOPPED": "running",
    "FAILED": "failed", "NODE_FAIL": "failed", "BOOT_FAIL": "failed", "OUT_OF_MEMORY": "failed",
    "LAUNCH_FAILED": "failed", "RECONFIG_FAIL": "failed", "SPECIAL_EXIT": "failed",
    "CANCELLED": "stopped", "TIMEOUT": "stopped", "DEADLINE": "stopped", "REVOKED": "stopped",
    "PREEMPTED": "interrupted", "REQUEUED": "interrupted", "REQUEUE_FED": "interrupted", "REQUEUE_HOLD": "interrupted",
    "PENDING": "", "CONFIGURING": "", "RESV_DEL_HOLD": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobId:
    """'1234_5+0.batch' taken apart."""

    base: str
    task: str = ""  # of an array; '[1-10%2]' for those that have not begun
    part: str = ""  # of a heterogeneous job
    step: str = ""

    @property
    def whole(self) -> str:
        """The id without its step, as sacct writes it."""
        return self.base + (f"_{self.task}" if self.task else "") + (f"+{self.part}" if self.part else "")


def known(text: str) -> str:
    """The text, or nothing where it is a way to say that nothing is known."""
    bare = text.strip()
    return "" if bare.casefold() in _NOTHING else bare


def job_id(text: str) -> JobId | None:
    """'1234', '1234_5', '1234_[1-10%2]', '1234+0', each with a step or without; None for what is no id."""
    match = _ID.fullmatch(text.strip())
    return None if match is None else JobId(*(part or "" for part in match.groups()))


def time_of(text: str, zone: tzinfo | None) -> tuple[float | None, bool]:
    """Seconds since 1970, and whether the zone had to be assumed (`zone`; None: this machine's).

    Raises
    ------
    ValueError
        When it is there and is no time.
    """
    told = known(text)
    if not told or told == "0":
        return None, False
    if _EPOCH.fullmatch(told):
        return float(told), False
    match = _TIME.fullmatch(told)
    if match is None:
        raise ValueError(f"{told[:40]!r} is no time")
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}")
        if match[3]:
            return moment.timestamp(), False
        return moment.replace(tzinfo=zone).timestamp(), True
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{told[:40]!r} is no time") from None


def seconds(text: str) -> float | None:
    """'1-02:03:04', '02:03:04', '03:04.5' or whole seconds; None where it is not known."""
    told = known(text)
    if _COUNT.fullmatch(told):
        return float(told)
    match = _SPAN.fullmatch(told)
    if match is None:
        return None
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return (days * H_PER_DAY + hours) * S_PER_H + minutes * S_PER_MINUTE + rest


def tres(text: str) -> dict[str, str]:
    """'cpu=64,gres/gpu:h100=8' by name; what has no value is left out."""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip().casefold(): value.strip() for name, _, value in pairs if name.strip() and known(value)}


def accelerators(resources: Mapping[str, str]) -> tuple[int | None, str]:
    """How many, and their type as the site calls it: gres/gpu, or the sum of the typed ones, never both."""
    counts = {name: int(value) for name, value in resources.items() if _COUNT.fullmatch(value)}
    typed = {name.partition(":")[2]: count for name, count in counts.items() if name.startswith("gres/gpu:")}
    total = counts.get("gres/gpu", sum(typed.values()) if typed else None)
    return total, MIXED.join(sorted(typed))


def amounts(resources: Mapping[str, str]) -> dict[str, float]:
    """TRES as numbers, memory in GB; what is no number is left out."""
    found = {}
    for name, told in resources.items():
        match = _AMOUNT.fullmatch(told)
        if match is not None and (name == "mem" or not match[2]):
            is_memory = name == "mem"
            found[name] = float(match[1]) * (_BYTES[match[2]] / BYTES_PER_GIB if is_memory else 1.0)
    return found


def joules(text: str) -> float | None:
    """SLURM's own count of a job's energy; None where it is 0, absent or a way to say that nothing is known."""
    told = known(text)
    match = _AMOUNT.fullmatch(told)
    value = float(match[1]) if match is not None and not match[2] else 0.0
    return value if 0 < value < _NO_VALUE else None


def status(state: str) -> str | None:
    """How a run of this state ended; '' for one that has not begun, None for a state that is not known."""
    words = state.split()
    return _STATUS.get(words[0].rstrip("+").upper()) if words else None
