"""Fixtures that more than one file of tests asks for: the NVML emulator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator, build, compiler
from hypothesis import settings
from postgres_server import Server, missing
from tracked_children import Nursery

# The same examples each time, however slow the machine; HYPOTHESIS_PROFILE=searching looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("searching", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

EMULATED = {"emulator", "emulator_library", "hosts", "nursery"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs on emulated GPUs, whose power is a function of time, mostly waits: `emulated`, unless `clock`."""
    for item in items:
        if EMULATED & set(getattr(item, "fixturenames", ())) and not item.get_closest_marker("clock"):
            item.add_marker(pytest.mark.emulated)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs, ledger and claims of the tests are theirs alone."""
    home = tmp_path_factory.mktemp("home")
    os.environ["FOOTPRINT_HOME"] = str(home)
    os.environ["FOOTPRINT_CLAIMS"] = str(home / "claims")
    for name in ("FOOTPRINT_FOLDER", "FOOTPRINT_RUN_ID", "FOOTPRINT_STORE", "FOOTPRINT_DATA", "FOOTPRINT_SITE"):
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL, started once."""
    if told := missing():
        pytest.skip(told)
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'footprint[postgres]'")
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def emulator_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The emulated libnvidia-ml.so.1, compiled once a session."""
    if compiler() is None:
        pytest.skip("the NVML emulator needs a C compiler (cc, gcc or clang), and there is none")
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def emulator(tmp_path: Path, emulator_library: Path) -> Callable[..., Emulator]:
    """Makes hosts of emulated GPUs: `emulator(gpus=8, preset="a100", wave=Square(100, 400, 1.0))`."""
    made: list[Emulator] = []

    def make(**settings: Any) -> Emulator:
        made.append(Emulator(tmp_path / f"emulator-{len(made)}", emulator_library, **settings))
        return made[-1]

    return make


@pytest.fixture(scope="module")
def nursery(emulator_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts many tracked processes for little: `nursery.start(host, code)`."""
    made = Nursery(emulator_library, tmp_path_factory.mktemp("children"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def hosts(emulator_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Emulator]:
    """As `emulator`, for hosts that the tests of a file share."""

    def make(**settings: Any) -> Emulator:
        return Emulator(tmp_path_factory.mktemp("host"), emulator_library, **settings)

    return make
