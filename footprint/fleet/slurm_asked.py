"""A site's accounting as a stream: asked of sacct, or read from what it once wrote; never held as a whole."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO

from footprint.errors import InputError
from footprint.fleet.slurm import Accounting, Start, read_lines
from footprint.fleet.slurm_rows import delimiter, lines_of, listed

__all__ = ["STDIN", "accounting"]

STDIN = "-"
FIELDS = (
    "JobID", "JobIDRaw", "Cluster", "User", "Account", "WCKey", "Partition", "State", "Start", "End", "ElapsedRaw",
    "Suspended", "NNodes", "NodeList", "AllocTRES", "ConsumedEnergyRaw", "TRESUsageInTot", "Exclusive",
    "AdminComment",
)  # fmt: skip
_NEW = ("Exclusive",)
"""Not known to every version that is in use: sacct refuses a name that it does not know."""

_ALWAYS = frozenset(("jobid", "state", "start", "end", "alloctres", "nodelist"))
_TIMEOUT_S = 30.0
_MOST_TOLD = 200


def accounting(
    saved: Path | None,
    environment: Mapping[str, str],
    started_s: float,
    ended_s: float,
    zone: tzinfo | None,
    wanted: Callable[[Start], bool] | None = None,
) -> Accounting:
    """The starts that may lie between two moments: from a file ("-": stdin), or from sacct; as `read_lines`.

    Raises
    ------
    InputError
        When there is no sacct, it fails, or the file cannot be read or holds no accounting.
    """
    between = started_s, ended_s
    if saved is None:
        now_s = time.time()
        with _asked(environment, started_s, ended_s) as stream:
            return read_lines(lines_of(stream), zone=zone, now_s=now_s, wanted=wanted, between=between)
    if str(saved) == STDIN:
        stream = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace", newline="\n")
        found = read_lines(lines_of(stream), zone=zone, wanted=wanted, between=between)
    else:
        try:
            with saved.open(encoding="utf-8", errors="replace", newline="\n") as file:
                found = read_lines(lines_of(file), zone=zone, wanted=wanted, between=between)
        except (OSError, ValueError) as error:
            told = getattr(error, "strerror", None) or "no name of a file"
            raise InputError("sacct", str(saved), f"cannot be read: {told}", "name a file") from None
    has_any = found.starts or found.unwanted_count or found.elsewhere_count
    if not has_any and (found.skipped or not found.idle_counts):
        fields = ",".join(name for name in FIELDS if name not in _NEW)
        fix = f"save it with: sacct -a -D --parsable2 --noconvert -S START -E END -o {fields}"
        told = "; ".join(listed(found.skipped)[:3])
        raise InputError("sacct", str(saved), "holds no start of a job" + (f": {told}" if told else ""), fix)
    return found


@contextmanager
def _asked(environment: Mapping[str, str], started_s: float, ended_s: float) -> Iterator[IO[str]]:
    """What sacct writes, while it writes; it is asked in UTC and answers in seconds, so that no zone is assumed."""
    program = shutil.which("sacct", path=environment.get("PATH", ""))
    if program is None:
        raise InputError("sacct", None, "is not in PATH", "give what it wrote elsewhere: --sacct FILE")
    own = {**environment, "SLURM_TIME_FORMAT": "%s", "TZ": "UTC"}
    first, last = (_moment(at_s) for at_s in (started_s, math.ceil(ended_s)))
    words = [
        program, "-a", "-D", "--parsable2", f"--delimiter={delimiter()}", "--noconvert", "-S", first, "-E", last,
        "-o", ",".join(_fields(program, own)),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                words, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                encoding="utf-8", errors="replace",
            )  # fmt: skip
        except OSError as error:
            raise InputError("sacct", program, f"could not be run: {error.strerror}", "give --sacct FILE") from None
        assert process.stdout is not None
        is_read = False
        try:
            yield process.stdout
            is_read = True
        finally:
            if not is_read:
                process.kill()
            process.stdout.close()
            code = process.wait()
        if code:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            told = "".join(c for c in (lines[-1] if lines else "") if c.isprintable())[:_MOST_TOLD]
            raise InputError("sacct", None, f"failed with {code}: {told}", "give what it wrote: --sacct FILE")


def _fields(program: str, environment: Mapping[str, str]) -> Sequence[str]:
    """Those that this version has; the names of all where it does not say."""
    try:
        done = subprocess.run(
            [program, "-e"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return FIELDS
    known = {word.casefold() for word in done.stdout.decode("utf-8", "replace").split()}
    if not known >= _ALWAYS:
        return [name for name in FIELDS if name not in _NEW]
    return [name for name in FIELDS if name.casefold() in known]


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
