"""How long footprint takes to start and to answer, beside its peers, in one run: `python tests/benchmarks/compare.py`.

Every figure is the least of several, the commands taken in turn, so that a busy moment hits all of them alike.
Commands are counted over `python -c pass` of the same interpreter in the same turns. Children may write
bytecode and each command runs once before it counts. Absolute times hold for one machine and one moment, so limits
are ratios to yardsticks: a start to the import of a part of the standard library in the same turns, a call to fixed
work in plain Python and numpy, of the call's own kind, that the same process does between its calls.

A peer that is not installed beside footprint is looked for in the interpreter that FOOTPRINT_PEERS_PYTHON names:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install llm-analysis
    FOOTPRINT_PEERS_PYTHON=/tmp/peers/bin/python python tests/benchmarks/compare.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PEERS_VARIABLE = "FOOTPRINT_PEERS_PYTHON"
ROUNDS = 5
BARE = "bare python"
MS_PER_S = 1000.0

YARDSTICK = "a part of the standard library"
LIBRARY = (
    "import argparse, asyncio, csv, decimal, doctest, email.message, fractions, http.client, json, logging.config, "
    "pydoc, sqlite3, statistics, tarfile, unittest.mock, xml.dom.minidom, xmlrpc.client, zipfile"
)

STARTS = {
    "import footprint": ["-c", "import footprint"],
    "footprint --help": ["-m", "footprint", "--help"],
    "footprint estimate llama-3.1-405b": ["-m", "footprint", "estimate", "llama-3.1-405b"],
}
LIMITS = {
    "import footprint": 0.2,
    "footprint --help": 1.1,
    "footprint estimate llama-3.1-405b": 5.0,
    "one estimate with draws": 1.4,
    "layout search, 405B on 16,384": 0.2,
    "a million scenarios": 20.0,
    "a million points, no search": 10.5,
}
"""What each may take, in yardsticks; starts and theirs over a bare interpreter.

Half to two thirds above what a quiet machine shows: twice the work is over it, two busy neighbours are not."""

SMALL_WORK = (
    "import numpy as work_numpy\nwork_x = work_numpy.linspace(1.0, 2.0, 2049)\n"
    "def work():\n    kept, total = {}, 0.0\n    for i in range(12000):\n"
    "        kept[f'{i % 97}.field'] = (i, total)\n        total += len(kept) * 0.5\n"
    "    for _ in range(150):\n        work_numpy.exp(work_numpy.log(work_x) * 1.5) * work_x\n"
)
LARGE_WORK = (
    "import numpy as work_numpy\nwork_x = work_numpy.linspace(1.0, 2.0, 1_000_000)\n"
    "def work():\n    y = work_numpy.exp(work_numpy.log(work_x) * 1.5)\n"
    "    for _ in range(20):\n        y = work_numpy.maximum(y * work_x + 1.0, 0.5) / work_x\n"
)
"""Yardsticks: names, texts and arrays of draws as in one estimate (some 7 ms); arrays of a million (some 70 ms)."""

SETTING = (
    "import numpy, footprint\nfrom dataclasses import replace\nfrom footprint.catalog import open_catalog\n"
    "from footprint.throughput import layouts, rule\n"
    "from footprint.throughput.setting import Setting, broadcast, hardware_of, scalars, shape_of_size\n"
    "from footprint.throughput.steady import Layouts, mfu\n"
    "catalog = open_catalog()\nconstants = rule.Rule(catalog).constants\n"
    "hardware = hardware_of(catalog.accelerator('h100-sxm'), 'bf16', 1.0, catalog)\n"
    "shape = shape_of_size(405e9, 405e9, 128e3, 8192.0)\n"
    "plan = scalars(Setting(shape, hardware, 16384.0, 16e6, 2025.0, 1.0, 2.0, 2.0, 12.0))\n"
    "usable = catalog.constant('usable_memory_share').mid\n"
    "many = broadcast(plan, (1_000_000,))\n"
    "many = replace(many, accelerator_count=numpy.linspace(128, 16384, 1_000_000))\n"
)

CALLS = {
    "one estimate with draws": ("import footprint", "footprint.estimate('llama-3.1-405b')", 100),
    "layout search, 405B on 16,384": (SETTING, "layouts.fastest(plan, {}, usable, constants)", 50),
    "a million scenarios": (
        "import numpy, footprint; params = numpy.geomspace(1e9, 1e12, 1_000_000)",
        "footprint.sweep(params=params, tokens=20 * params, accelerator='h100-sxm', country='FRA')",
        3,
    ),
    "a million points, no search": (
        SETTING,
        "mfu(many, Layouts(8.0, 16.0, 1.0, 1.0, 1.0, 1.0, 4.0, 0.0), constants)",
        3,
    ),
}
"""Name -> (what is done once, what is timed, how often): single-threaded, in one warm process each."""
YARDSTICKS = dict.fromkeys(CALLS, SMALL_WORK) | dict.fromkeys(
    ("a million scenarios", "a million points, no search"), LARGE_WORK
)

ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Peer:
    """Another tool: how it starts, how it answers once, and what that answer is."""

    name: str
    module: str
    imports: list[str]
    help: list[str]
    call: tuple[str, str, int]
    answers: str


PEERS = (
    Peer(
        name="codecarbon",
        module="codecarbon",
        imports=["-c", "import codecarbon"],
        help=["-m", "codecarbon.cli.main", "--help"],
        call=(
            "from codecarbon.core.emissions import Emissions; from codecarbon.core.units import Energy; "
            "from codecarbon.external.geography import GeoMetadata; from codecarbon.input import DataSource; "
            "emissions = Emissions(DataSource()); energy = Energy.from_energy(kWh=1.0); "
            "place = GeoMetadata(country_iso_code='FRA', country_name='France')",
            "emissions.get_private_infra_emissions(energy, place)",
            500,
        ),
        answers="1 kWh in France to kg: one look-up, one product",
    ),
    Peer(
        name="llm-analysis",
        module="llm_analysis",
        imports=["-c", "import llm_analysis.analysis"],
        help=["-m", "llm_analysis.analysis", "--help"],
        call=(
            "import logging; from llm_analysis import analysis as a, config as c; logging.disable(logging.CRITICAL); "
            "one = a.LLMAnalysis(c.get_model_config_by_name('facebook_opt-1.3b'), "
            "c.get_gpu_config_by_name('a100-sxm-80gb'), c.get_dtype_config_by_name('w16a16e16'), "
            "c.ParallelismConfig(dp_size=8), flops_efficiency=0.4)",
            "one.training(batch_size_per_gpu=1, total_num_tokens=2e12, seq_len=2048)",
            200,
        ),
        answers="latency, memory and hours of one plan, no range, no energy, no carbon",
    ),
)


def environment(**more: str) -> dict[str, str]:
    """The children's environment: bytecode may be written, nothing is coloured, no one else's data."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "FOOTPRINT_DATA", "PYTHONPROFILEIMPORTTIME", "PYTHONWARNINGS")
    return {k: v for k, v in os.environ.items() if k not in dropped} | {"NO_COLOR": "1"} | more


def run(python: str, arguments: Sequence[str]) -> float:
    """Seconds that one child takes from start to end."""
    began = time.perf_counter()
    done = subprocess.run(
        [python, *arguments], cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)[:80]}: {done.stderr.decode(errors='replace')[-400:]}")
    return took


def starts_ms(
    commands: Mapping[str, Sequence[str]], python: str = sys.executable, rounds: int = ROUNDS
) -> dict[str, float]:
    """Milliseconds of each command over a bare interpreter: the least of `rounds`, taken in turn; the bare one too."""
    turns = {BARE: ["-c", "pass"], **commands}
    for arguments in turns.values():
        run(python, arguments)
    least = dict.fromkeys(turns, float("inf"))
    for _ in range(rounds):
        for name, arguments in turns.items():
            least[name] = min(least[name], run(python, arguments))
    bare = least.pop(BARE)
    return {name: (took - bare) * MS_PER_S for name, took in least.items()} | {BARE: bare * MS_PER_S}


def call_ms(
    setup: str, statement: str, times: int, python: str = sys.executable, yardstick: str = "def work(): pass"
) -> tuple[float, float]:
    """Milliseconds of one call in a warm process, and of its yardstick between the calls.

    The least of `times` each, after one that does not count.
    """
    code = (
        f"import time\n{setup}\n{yardstick}\n"
        f"def call():\n    {statement}\n"
        "def took(what):\n    began = time.perf_counter()\n    what()\n    return time.perf_counter() - began\n"
        f"call()\nwork()\nturns = [(took(call), took(work)) for _ in range({times})]\n"
        "print(*(min(turn) for turn in zip(*turns)))\n"
    )
    done = subprocess.run(
        [python, "-c", code], cwd=ROOT, env=environment(**ONE_CORE), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{statement[:80]}: {done.stderr[-400:]}")
    one, other = (float(word) * MS_PER_S for word in done.stdout.split()[-2:])
    return one, other


def own_ms(names: Collection[str] = tuple(LIMITS), rounds: int = ROUNDS) -> dict[str, tuple[float, float]]:
    """footprint's figures by the names of `LIMITS`, each with what it is a multiple of."""
    starts = {name: command for name, command in STARTS.items() if name in names}
    found = starts_ms({YARDSTICK: ["-c", LIBRARY], **starts}, rounds=rounds) if starts else {}
    yardstick = found.get(YARDSTICK, 0.0)
    calls = {name: call_ms(*CALLS[name], yardstick=YARDSTICKS[name]) for name in CALLS if name in names}
    return {name: (found[name], yardstick) for name in starts} | calls


def python_with(module: str) -> str | None:
    """The interpreter that has a peer: this one, or the one that the environment names; None for neither."""
    for python in (sys.executable, os.environ.get(PEERS_VARIABLE)):
        probe = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        if python and subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0:
            return python
    return None


def peer_ms(peer: Peer, python: str, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """A peer's import and help over its own bare interpreter, and one call."""
    found = starts_ms({"import": peer.imports, "help": peer.help}, python, rounds)
    return found["import"], found["help"], call_ms(*peer.call, python=python)[0]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of text; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)  # noqa: B905


def main() -> int:
    """Measure footprint, then each peer, and print both."""
    own = own_ms()
    print(f"least of {ROUNDS} turns; starts over a bare interpreter\n")
    rows = [["footprint", "ms", "limit here, ms", "yardstick, ms", "yardsticks", "limit"]]
    rows += [
        [name, f"{own[name][0]:.1f}", f"{limit * own[name][1]:.0f}", f"{own[name][1]:.1f}",
         f"{own[name][0] / own[name][1]:.2f}", f"{limit:g}"]
        for name, limit in LIMITS.items()
    ]  # fmt: skip
    print(table(rows) + "\n")
    mine = tuple(own[name][0] for name in ("import footprint", "footprint --help", "one estimate with draws"))
    rows = [["peer over footprint", "import", "--help", "one call", "what the call answers"]]
    for peer in PEERS:
        python = python_with(peer.module)
        if python is None:
            how = f"python -m venv DIR && DIR/bin/pip install {peer.name}, then {PEERS_VARIABLE}=DIR/bin/python"
            rows.append([peer.name, "not", "installed", "", how])
            continue
        ratios = [theirs / ours for theirs, ours in zip(peer_ms(peer, python), mine, strict=True)]
        rows.append([peer.name, *(f"x {ratio:.3g}" for ratio in ratios), peer.answers])
    per_scenario = own["a million scenarios"][0] / 1e6
    rows.append(["footprint.sweep", "", "", f"x {per_scenario / mine[2]:.2g}", "one of a million scenarios, mids only"])
    print(table(rows))
    late = [name for name, limit in LIMITS.items() if own[name][0] > limit * own[name][1]]
    print(f"\nover the limit: {', '.join(late)}" if late else "\nall within their limits")
    return 0


if __name__ == "__main__":
    sys.exit(main())
