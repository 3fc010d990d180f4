"""footprint starts and answers within its limits. The same measurements as `compare.py`, which prints them.

Limits are ratios to work of the same kind done in the same turns: a slow or busy machine slows both. A figure passes
as soon as one round is within its limit, and fails only after `ROUNDS` rounds of least-of-several.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from statistics import median
from types import ModuleType

import pytest

pytestmark = pytest.mark.clock
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


@pytest.fixture(scope="module")
def at_first() -> dict[str, tuple[float, float]]:
    """Everything once, starts in the same turns."""
    return compare.own_ms()


@pytest.mark.slow
@pytest.mark.parametrize("name", compare.LIMITS)
def test_starting_and_answering_stay_within_their_multiple_of_a_yardstick(
    name: str, at_first: dict[str, tuple[float, float]]
) -> None:
    least, limit = float("inf"), compare.LIMITS[name]
    for turn in range(ROUNDS):
        took, yardstick = compare.own_ms((name,))[name] if turn else at_first[name]
        least = min(least, took / yardstick)
        print(f"{name}: {took:.1f} ms, {took / yardstick:.2f} yardsticks of {yardstick:.1f} ms, limit {limit:g}")
        if least <= limit:
            break
    assert least <= limit


def test_work_done_twice_is_over_a_limit_of_one_and_a_half_on_any_machine() -> None:
    """The yardstick itself: the same work is one of it, twice the work is two; in the median, others being busy."""
    for yardstick, times in ((compare.SMALL_WORK, 10), (compare.LARGE_WORK, 2)):
        for statement, expected in (("work()", 1.0), ("work(); work()", 2.0)):
            found = []
            for _ in range(3):
                took, once = compare.call_ms("", statement, times, yardstick=yardstick)
                found.append(took / once)
            assert median(found) == pytest.approx(expected, rel=0.35), found


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
    took, _ = compare.call_ms("import time; time.sleep(0.2)", "time.sleep(0.002)", 3)
    assert 2 <= took <= 2 + 50


def test_a_peer_that_is_nowhere_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compare.PEERS_VARIABLE, raising=False)
    assert compare.python_with("no_such_peer_at_all") is None
    assert compare.python_with("codecarbon") == sys.executable
