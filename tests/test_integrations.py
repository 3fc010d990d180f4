"""Callbacks, each in a real training on the CPU, with emulated GPUs. Frameworks that are not installed are skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from emulator import Emulator, Square

from footprint.errors import InputError, UnknownName
from footprint.integrations import loops
from footprint.integrations.loops import LoopRun, name_of, outermost_of
from footprint.measurement import journal
from footprint.measurement.tracker.reading import read_run
from footprint.units import G_PER_KG, J_PER_KWH
from footprint.values import Run

SCRIPTS = Path(__file__).parent / "frameworks"
KEYS = {"footprint/energy_kwh", "footprint/it_energy_kwh", "footprint/power_w", "footprint/kgco2e"}
LIMIT_S = 240
LEAST_J = 200

pytestmark = pytest.mark.slow


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [name for name in packages if find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed: make frameworks")


class Place:
    """A folder of runs, and emulated GPUs whose true energy is known."""

    def __init__(self, folder: Path, host: Emulator) -> None:
        self.folder, self.host = folder, host
        quiet = {"PYTHONWARNINGS": "ignore", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
        self.env = {**host.env, **quiet, "FOOTPRINT_FOLDER": str(folder / "runs"), "OMP_NUM_THREADS": "1"}

    def train(self, script: str) -> dict[str, Any]:
        """What the script's processes told, one after another."""
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / script), str(self.folder)],
            env=self.env, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        lines = (json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"'))
        return {name: value for line in lines for name, value in line.items()} | {"stderr": done.stderr}

    def journals(self, run_id: str) -> list[Path]:
        """One a start, the first start's first."""
        files = journal.files_of(self.folder / "runs" / run_id)
        return sorted(files, key=lambda file: journal.read(file).header.restart_count)

    def run(self, run_id: str) -> Run:
        return read_run(self.folder / "runs" / run_id)

    def assert_energy_is_true(self, files: Sequence[Path]) -> None:
        """What the run states of its accelerators holds what the emulated ones drew between its readings."""
        joules = 0.0
        for file in files:
            one = journal.read(file)
            mine = {meter.id for meter in one.header.meters if meter.component == "accelerator"}
            ticks = (tick for tick in one.ticks() if not tick.is_edge)
            moments = [sample.at_s for tick in ticks for sample in tick.samples if sample.meter in mine]
            joules += self.host.true_energy_j(None, min(moments), max(moments)) if moments else 0.0
        stated = [m.it_energy_kwh for m in read_run(files).meters if m.meter.component == "accelerator"]
        assert sum(e.low for e in stated) <= joules / J_PER_KWH <= sum(e.high for e in stated)
        assert joules > LEAST_J


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, emulator_library: Path) -> Callable[[str], Place]:
    def made(name: str) -> Place:
        folder = tmp_path_factory.mktemp(name)
        return Place(folder, Emulator(folder / "gpus", emulator_library, gpus=2, wave=Square(150, 550, 0.3)))

    return made


# transformers


@pytest.fixture(scope="module")
def trainer(make: Callable[[str], Place]) -> tuple[Place, dict[str, Any]]:
    place = make("transformers")
    return place, place.train("with_transformers.py")


@needs("torch", "transformers", "accelerate", "tensorboard")
class TestTransformers:
    def test_the_run_is_finished_and_its_energy_is_what_the_gpus_drew(
        self, trainer: tuple[Place, dict[str, Any]]
    ) -> None:
        place, told = trainer
        whole = told["whole"]
        assert whole["status"] == "finished"
        place.assert_energy_is_true(place.journals(whole["id"])[:1])

    def test_reporting_callbacks_see_the_energy_keys_in_every_log_of_training(
        self, trainer: tuple[Place, dict[str, Any]]
    ) -> None:
        whole = trainer[1]["whole"]
        assert whole["order"][:2] == ["DefaultFlowCallback", "FootprintCallback"]
        training = [log for log in whole["seen"] if "loss" in log or "train_runtime" in log]
        assert len(training) == 7  # each second of 12 steps, and the last word
        assert all(set(log) >= KEYS for log in training)
        energies = [log["footprint/energy_kwh"] for log in training]
        assert energies == sorted(energies)  # those before the first reading are 0
        assert energies[-1] > 0

    def test_the_keys_reach_tensorboard_and_the_log_history(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        whole = trainer[1]["whole"]
        assert {f"train/{key}" for key in KEYS} <= set(whole["board"])
        assert all(set(log) >= KEYS for log in whole["history"] if "loss" in log)
        assert set(whole["metrics"]) >= KEYS | {"train_loss"}

    def test_results_of_an_evaluation_stay_as_they_are(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        evaluated = [log for log in trainer[1]["whole"]["history"] if "eval_loss" in log]
        assert len(evaluated) == 2
        assert not [key for log in evaluated for key in log if key.startswith("footprint")]

    def test_steps_tokens_and_flop_are_the_trainers(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        whole = trainer[1]["whole"]
        assert (whole["steps"], whole["total_steps"]) == (12, 12)
        assert whole["tokens"] == 12 * 4 * 16
        assert whole["flop"] == pytest.approx(whole["history"][-1]["total_flos"], rel=1e-9)
        assert whole["words"]["params"] == whole["params"]
        assert whole["windows"] == {"evaluate": 2, "save": 2}

    def test_the_checkpoint_keeps_the_run(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        whole = trainer[1]["whole"]
        assert whole["kept"]["stateful_callbacks"]["footprint"]["run_id"] == whole["id"]
        assert whole["beside"]["run_id"] == whole["id"]
        assert whole["beside"]["progress"]["steps_count"] == 6

    def test_the_model_card_states_grams(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        whole = trainer[1]["whole"]
        _, front, text = whole["card"].split("---\n", 2)
        block = yaml.safe_load(front)["co2_eq_emissions"]
        assert block["emissions"] == pytest.approx(whole["kgco2e"] * G_PER_KG, rel=1e-4)
        assert block["training_type"] == "pre-training"
        assert block["geographical_location"] == "FRA"
        assert block["hardware_used"] == "2 x NVIDIA H100 80GB HBM3"
        assert "# tiny" in text

    def test_an_exception_that_is_caught_closes_the_run_as_failed(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        told = trainer[1]["caught"]
        assert told["raised"] == "the data are gone"
        assert told["first"]["status"] == "failed"
        assert not told["first"]["open"]
        assert any("the training loop was left before its end" in note for note in told["first"]["notes"])

    def test_the_same_callback_then_tracks_a_run_of_its_own(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        told = trainer[1]["caught"]
        assert told["second"]["status"] == "finished"
        assert told["second"]["id"] != told["first"]["id"]

    def test_the_context_manager_tells_the_exception(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        told = trainer[1]["within"]
        assert (told["raised"], told["status"]) == ("the data are gone", "failed")
        assert "ended by RuntimeError" in told["notes"]

    def test_added_late_to_a_checkpoint_written_without_it_it_trains_and_saves(
        self, trainer: tuple[Place, dict[str, Any]]
    ) -> None:
        told = trainer[1]["late"]
        assert (told["status"], told["steps"]) == ("finished", 12)
        assert told["order"][1] == "FootprintCallback"

    def test_a_batch_that_is_tried_smaller_stays_one_run(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        told = trainer[1]["smaller"]
        assert (told["status"], told["tokens"]) == ("finished", 12 * 2 * 16)
        assert any("a smaller batch was tried" in note for note in told["notes"])

    def test_a_spent_budget_ends_the_training_cleanly(self, trainer: tuple[Place, dict[str, Any]]) -> None:
        told = trainer[1]["budget"]
        assert told["status"] == "stopped"
        assert 0 < told["steps"] < 400

    def test_another_process_goes_on_with_the_same_run_and_its_exception_is_told(
        self, trainer: tuple[Place, dict[str, Any]]
    ) -> None:
        place, told = trainer
        resumed = told["resume"]
        assert told["codes"] == {"whole": 0, "resume": 1}, told["stderr"][-4000:]
        assert resumed["id"] == told["whole"]["id"]
        assert [steps for _, steps in resumed["segments"]] == [12, 12]
        assert resumed["steps"] == 12
        assert resumed["tokens"] == 12 * 4 * 16
        assert resumed["wasted_kwh"] > 0  # steps 7 to 12 were done twice
        place.assert_energy_is_true(place.journals(resumed["id"]))
        died = place.run("dies")
        assert died.status == "failed"
        assert "ended by RuntimeError" in died.notes

    def test_under_two_ranks_each_gpu_is_counted_once(self, make: Callable[[str], Place]) -> None:
        place = make("ranks")
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        done = subprocess.run(
            [*launch, str(SCRIPTS / "with_transformers.py"), str(place.folder), "ranks"],
            env=place.env, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        told = [json.loads((place.folder / f"ranks-{rank}.json").read_text()) for rank in (0, 1)]
        assert told[0]["run"] == told[1]["run"]
        found = place.run(told[0]["run"])
        devices = [m.meter.id for m in found.meters if m.meter.component == "accelerator"]
        assert len(devices) == len(set(devices)) == 2
        assert found.progress.tokens == 12 * 4 * 16 * 2
        assert (found.status, len(found.segments)) == ("finished", 1)


# Lightning


@pytest.fixture(scope="module")
def fitted(make: Callable[[str], Place]) -> tuple[Place, dict[str, Any]]:
    place = make("lightning")
    return place, place.train("with_lightning.py")


@needs("torch", "lightning", "tensorboard")
class TestLightning:
    def test_steps_tokens_and_windows_are_told(self, fitted: tuple[Place, dict[str, Any]]) -> None:
        place, told = fitted
        whole = told["whole"]
        assert whole["status"] == "finished"
        assert (whole["steps"], whole["total_steps"], whole["epochs"]) == (16, 16, 2)
        assert whole["tokens"] == 16 * 4 * 16
        assert whole["windows"] == {"evaluate": 3}  # the check before the training, and each epoch's
        place.assert_energy_is_true(place.journals(whole["id"])[:1])

    def test_the_keys_reach_the_loggers(self, fitted: tuple[Place, dict[str, Any]]) -> None:
        whole = fitted[1]["whole"]
        assert set(whole["callback_metrics"]) >= KEYS | {"val_loss"}
        logged = [float(row["footprint/energy_kwh"]) for row in whole["rows"] if row["footprint/energy_kwh"]]
        assert logged == sorted(logged)
        assert logged[-1] > 0

    def test_an_exception_closes_the_run_with_its_name(self, fitted: tuple[Place, dict[str, Any]]) -> None:
        told = fitted[1]["caught"]
        assert (told["raised"], told["open"], told["status"]) == ("the data are gone", False, "failed")
        assert "ended by RuntimeError" in told["notes"]
        assert told["steps"] == 3

    def test_a_spent_budget_ends_the_training_cleanly(self, fitted: tuple[Place, dict[str, Any]]) -> None:
        told = fitted[1]["budget"]
        assert told["status"] == "stopped"
        assert told["steps"] < 800

    def test_another_process_goes_on_with_the_same_run(self, fitted: tuple[Place, dict[str, Any]]) -> None:
        told = fitted[1]
        resumed = told["resume"]
        assert told["codes"] == {"whole": 0, "resume": 0}, told["stderr"][-4000:]
        assert (resumed["id"], resumed["segments"]) == (told["whole"]["id"], 2)
        assert (resumed["steps"], resumed["tokens"]) == (24, 24 * 4 * 16)


# Keras


@pytest.fixture(scope="module")
def dense(make: Callable[[str], Place]) -> tuple[Place, dict[str, Any]]:
    place = make("keras")
    return place, place.train("with_keras.py")


@needs("torch", "keras")
class TestKeras:
    def test_the_keys_reach_the_history_and_the_callbacks_after_it(self, dense: tuple[Place, dict[str, Any]]) -> None:
        whole = dense[1]["whole"]
        assert set(whole["history"]) >= KEYS | {"val_loss"}
        assert set(whole["seen"]) >= KEYS

    def test_steps_tokens_and_windows_are_told(self, dense: tuple[Place, dict[str, Any]]) -> None:
        whole = dense[1]["whole"]
        assert (whole["status"], whole["name"]) == ("finished", "tiny_dense")
        assert (whole["steps"], whole["total_steps"], whole["tokens"]) == (18, 18, 18 * 128)
        assert whole["windows"] == {"evaluate": 3}

    def test_an_exception_that_is_caught_closes_the_run_as_failed(self, dense: tuple[Place, dict[str, Any]]) -> None:
        told = dense[1]["caught"]
        assert (told["raised"], told["open"], told["status"]) == ("the data are gone", False, "failed")

    def test_the_context_manager_tells_the_exception(self, dense: tuple[Place, dict[str, Any]]) -> None:
        told = dense[1]["within"]
        assert told["status"] == "failed"
        assert "ended by RuntimeError" in told["notes"]

    def test_a_spent_budget_ends_the_training_cleanly(self, dense: tuple[Place, dict[str, Any]]) -> None:
        assert dense[1]["budget"]["status"] == "stopped"
        assert dense[1]["budget"]["steps"] < 1200


# accelerate


@pytest.fixture(scope="module")
def loop(make: Callable[[str], Place]) -> tuple[Place, dict[str, Any]]:
    place = make("accelerate")
    return place, place.train("with_accelerate.py")


@needs("torch", "accelerate", "tensorboard")
class TestAccelerate:
    def test_trackers_after_it_get_the_keys(self, loop: tuple[Place, dict[str, Any]]) -> None:
        told = loop[1]["whole"]
        assert told["is_run"]
        assert [row["step"] for row in told["rows"]] == list(range(1, 11))
        assert all(set(row) >= KEYS | {"loss"} for row in told["rows"][1:])

    def test_the_run_is_finished_with_the_training(self, loop: tuple[Place, dict[str, Any]]) -> None:
        place, told = loop
        first = place.run(told["whole"]["id"]).segments[0]
        assert (first.status, first.progress.steps_count, first.progress.tokens) == ("finished", 10, 320)
        assert told["whole"]["windows"] == ["step"]

    def test_another_process_goes_on_with_the_run_and_its_exception_is_told(
        self, loop: tuple[Place, dict[str, Any]]
    ) -> None:
        place, told = loop
        assert told["codes"] == {"whole": 0, "resume": 1}, told["stderr"][-4000:]
        assert told["resume"]["id"] == told["whole"]["id"]
        found = place.run(told["whole"]["id"])
        assert [segment.status for segment in found.segments] == ["finished", "failed"]
        assert (found.progress.steps_count, found.progress.tokens) == (20, 640)
        assert "ended by RuntimeError" in found.notes


# what they share


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setattr(loops, "LOOK_S", 0.02)
    yield {"folder": tmp_path / "runs", "sensors": ["cpu-load"], "interval_s": 0.1}
    assert [t.name for t in threading.enumerate() if t.name.startswith("footprint")] == []


class Loop:
    """Stands for a framework's trainer: the callback is told of the beginning, and of the end only if it comes."""

    def __init__(self, callback: LoopRun) -> None:
        self.callback = callback

    def train(self, how: Callable[[], None], tells_end: bool = True) -> None:
        self.callback.open_run("loop", {})
        self.callback.watch(outermost_of(lambda owner: owner is self))
        how()
        if tells_end:
            self.callback.close_run()


def wait_until(is_so: Callable[[], bool], at_most_s: float = 5.0) -> None:
    until_s = time.monotonic() + at_most_s
    while not is_so() and time.monotonic() < until_s:
        time.sleep(0.01)


def test_a_loop_that_is_inside_itself_long_is_not_taken_for_one_that_was_left(here: dict[str, Any]) -> None:
    callback = LoopRun("patient", **here)

    def deep(levels: int) -> None:
        time.sleep(0.004)
        if levels:
            deep(levels - 1)

    Loop(callback).train(lambda: deep(60))
    assert callback.result is not None
    assert callback.result.status == "finished"


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_a_loop_that_is_left_by_any_exception_is_closed_as_failed(here: dict[str, Any], error: BaseException) -> None:
    callback = LoopRun("left", **here)

    def fails() -> None:
        raise error

    with pytest.raises(type(error)):
        Loop(callback).train(fails)
    wait_until(lambda: not callback.is_open)
    assert callback.result is not None
    assert callback.result.status == "failed"


def test_a_watched_loop_is_not_kept_alive(here: dict[str, Any]) -> None:
    import gc
    import weakref

    callback = LoopRun("light", **here)
    one = Loop(callback)
    gone = weakref.ref(one)
    one.train(lambda: None, tells_end=False)
    del one
    gc.collect()
    was_kept = gone() is not None
    wait_until(lambda: not callback.is_open)
    assert not was_kept


def test_a_copy_of_a_callback_measures_nothing_until_it_trains(here: dict[str, Any]) -> None:
    import copy
    import pickle

    callback = LoopRun("original", **here)
    callback.open_run(None, {})
    for other in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert other.run is None
        assert not other.is_open
        other.close_run()
    assert callback.is_open
    callback.close_run()


def test_what_the_user_said_goes_before_what_the_framework_knows(here: dict[str, Any]) -> None:
    callback = LoopRun(None, params=5e9, **here)
    run = callback.open_run("its own name", {"params": 7e9, "precision": "bf16"})
    callback.close_run()
    assert run.name == "its own name"
    assert run.words.quantities["params"] == 5e9
    assert run.words.precision == "bf16"


def test_a_checkpoints_run_goes_on_unless_the_user_names_another(here: dict[str, Any]) -> None:
    saved = {"run_id": "kept", "progress": {"steps_count": 7.0, "run_tokens": 70.0}}
    callback = LoopRun("again", **here)
    assert callback.open_run(None, {}, saved).id == "kept"
    callback.close_run()
    assert callback.result is not None
    assert (callback.result.progress.steps_count, callback.result.progress.tokens) == (7, 70)
    other = LoopRun("again", run_id="mine", **here)
    assert other.open_run(None, {}, saved).id == "mine"
    other.close_run()


def test_a_fork_does_not_close_its_parents_run(here: dict[str, Any]) -> None:
    callback = LoopRun("parent", **here)
    callback.open_run(None, {})
    child = os.fork()
    if not child:
        callback.close_run("failed")
        os._exit(0)
    os.waitpid(child, 0)
    assert callback.is_open
    callback.close_run()
    assert callback.result is not None
    assert callback.result.status == "finished"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("runs/a:b", "runs_a_b"), ("", None), (None, None), ("...", None), ("a\nb", "a_b"), ("x" * 300, "x" * 200)],
)
def test_a_frameworks_name_becomes_one_of_ours(given: str | None, kept: str | None) -> None:
    assert name_of(given) == kept


def test_bad_words_are_told_when_the_callback_is_made() -> None:
    with pytest.raises(UnknownName, match=r"country or zone = 'FRX': is not a known name"):
        LoopRun(country="FRX")
    with pytest.raises(InputError, match="budget_kwh"):
        LoopRun(budget_kwh=-1)
    with pytest.raises(TypeError, match="reigon"):
        LoopRun(reigon="FRA")


@pytest.mark.parametrize("module", ["transformers", "lightning", "keras", "accelerate", "codecarbon"])
def test_importing_a_room_imports_no_framework(module: str) -> None:
    code = (
        f"import sys, footprint.integrations.{module}\n"
        "print(*[m for m in ('torch', 'transformers', 'lightning', 'keras', 'accelerate', 'codecarbon') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("module", "name", "package"),
    [
        ("transformers", "FootprintCallback", "transformers"),
        ("lightning", "FootprintCallback", "lightning"),
        ("keras", "FootprintCallback", "keras"),
        ("accelerate", "FootprintTracker", "accelerate"),
    ],
)
def test_a_missing_framework_is_told_with_the_line_that_installs_it(module: str, name: str, package: str) -> None:
    hide = f"import sys; sys.modules[{package!r}] = None; sys.modules['pytorch_lightning'] = None\n"
    code = f"{hide}try:\n    from footprint.integrations.{module} import {name}\nexcept ImportError as e:\n    print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"needs {package}; install it with: pip install 'footprint[{module}]'" in done.stdout
