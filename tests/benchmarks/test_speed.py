"""footprint starts and answers within its limits. The same measurements as `compare.py`, which prints them.

Others may use the machine meanwhile. Noise only adds time, so the least over all rounds is kept: a figure passes
as soon as one round is within its limit, and fails only after `ROUNDS` rounds of least-of-five.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROUNDS = 3


def _compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_compare", Path(__file__).parent / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


compare = _compare()


def within(name: str, round_ms: float, least: float) -> float:
    """The lesser of two rounds, told with its limit where it fails."""
    found = min(round_ms, least)
    print(f"{name}: {found:.1f} ms, limit {compare.LIMITS_MS[name]:.0f} ms")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", compare.STARTS)
def test_starting_stays_within_its_limit_over_a_bare_interpreter(name: str) -> None:
    least = float("inf")
    for _ in range(ROUNDS):
        least = within(name, compare.starts_ms({name: compare.STARTS[name]})[name], least)
        if least <= compare.LIMITS_MS[name]:
            break
    assert least <= compare.LIMITS_MS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", compare.CALLS)
def test_answering_stays_within_its_limit_in_a_warm_process(name: str) -> None:
    least = float("inf")
    for _ in range(ROUNDS):
        least = within(name, compare.call_ms(*compare.CALLS[name]), least)
        if least <= compare.LIMITS_MS[name]:
            break
    assert least <= compare.LIMITS_MS[name]


def test_a_start_is_slower_than_a_bare_interpreter_and_children_write_bytecode() -> None:
    """The measurement itself: the floor is subtracted, and pytest's own settings do not reach the children."""
    assert "PYTHONDONTWRITEBYTECODE" not in compare.environment()
    slept = compare.starts_ms({"sleep": ["-c", "import time; time.sleep(0.05)"]}, rounds=2)
    assert 50 - 30 <= slept["sleep"] <= 50 + 200
    assert slept[compare.BARE] > 1


def test_a_failing_command_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="no-such-model"):
        compare.run(sys.executable, ["-m", "footprint", "estimate", "no-such-model"])


def test_one_call_is_timed_without_its_setup() -> None:
    took = compare.call_ms("import time; time.sleep(0.2)", "time.sleep(0.002)", 3)
    assert 2 <= took <= 2 + 50


def test_a_peer_that_is_nowhere_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compare.PEERS_VARIABLE, raising=False)
    assert compare.python_with("no_such_peer_at_all") is None
    assert compare.python_with("codecarbon") == sys.executable
