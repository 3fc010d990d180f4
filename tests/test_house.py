"""The house's own rules: which room may import which, what stands in a name, and what no file may do."""

from __future__ import annotations

import ast
import dataclasses
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import footprint
from footprint import studies, units, values
from footprint.version import __version__

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "footprint"

FLOORS: dict[str, int] = {
    "errors": 1,
    "units": 1,
    "version": 1,  # read by every floor that stamps a result; the face above it is then imported by none
    "values": 2,
    "studies": 2,  # records of wider questions, which no training that is measured has to wait for
    "moments": 2,  # how people write them: for the command line, the app, the charts and the months of a cluster
    "formulas": 2,
    "catalog": 3,  # a package: files, records, schema and lookups are one room
    "derivation": 3,  # calls formulas and makes Steps: above values, and both floors that calculate need it
    "uncertainty": 3,
    "evidence": 3,  # the grade of a run: fleet and tracker give it, every report says it in the same words
    "records": 3,  # values as plain data and back: the store, the journals and every report write them the same way
    "store": 3,
    "measurement.claims": 3,  # who counts a device on a host: apart from sensors, which only read, and from time
    "measurement.launcher": 3,  # what torchrun, SLURM, MPI and Kubernetes say of a process
    "measurement": 3,  # the room's door alone
    "measurement.sensors": 3,
    "measurement.sampler": 3,
    "measurement.metering": 3,
    "measurement.journal": 3,
    "measurement.lines": 3,  # how samples stand in a line: the journal writes them, the tracker counts by them
    "accounting": 4,
    "throughput": 4,
    "report": 4,
    "measurement.limits": 4,  # the catalog's constants for metering, which knows no catalog
    "measurement.following": 4,  # the end of journals that grow, for a screen: reads lines, adds nothing up
    "estimation": 5,
    "measurement.tracker": 5,
    "measurement.command": 5,  # runs a child in one's place: nothing of sensors or energy, so neither needs the other
    "fleet": 5,
    "charts": 6,  # what users call to draw: asks doors for values, so that page, app and command line draw alike
    "integrations": 6,
    "export": 6,  # beside integrations, which live inside a training: it follows journals from without, and may listen
    "app": 7,  # above charts: it draws by the same door as the command line
    "cli": 8,
    "__main__": 8,  # `python -m footprint` is the command line
}
SAME_FLOOR = {
    ("studies", "values"): "what wider questions are answered with is made of values",
    ("units", "errors"): "a quantity that cannot be read is refused where it is read",
    ("__main__", "cli"): "the other way to start the same command line",
    ("store", "records"): "runs are stored as plain data",
    ("store", "measurement.journal"): "where home is and which folders hold journals is said once",
    ("measurement.journal", "measurement.lines"): "what a line is made of",
    ("measurement.journal", "records"): "a journal's first line holds meters as plain data",
    ("measurement.sensors", "catalog"): "the watts of a modelled sensor and the error of a measured one are rows",
}
FACE = "footprint"

THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "numpy": (
        "derivation",
        "uncertainty",
        "throughput",
        "estimation.sweeping",
        "fleet.chunks",
        "fleet.many_kept",
        "fleet.many_looks",
        "fleet.many_sums",
    ),
    "pandas": ("report.frames", "estimation.sweeping"),
    "scipy": ("throughput.fitting",),
    "plotly": ("report.charts", "report.page_pictures"),  # the page holds the library, once for all of its charts
    "rich": ("report", "cli"),
    "typer": ("cli",),
    "yaml": ("estimation.words", "integrations.model_card", "fleet.site_file_words"),
    "psutil": ("measurement.sensors.cpu",),
    "sqlalchemy": ("store",),
    "psycopg": ("store.postgres_engine",),
    "pynvml": ("measurement.sensors.nvml_driver",),
    "amdsmi": ("measurement.sensors.amd",),
    "transformers": ("integrations.transformers",),
    "huggingface_hub": ("integrations.model_card",),
    "lightning": ("integrations.lightning",),
    "pytorch_lightning": ("integrations.lightning",),
    "keras": ("integrations.keras",),
    "accelerate": ("integrations.accelerate",),
    "dash": ("app",),
    "flask": ("app",),  # dash's own server: headers, the token and the names by which it may be reached
    "werkzeug": ("app.serving",),  # flask's: bound here without its banner and its log
    "prometheus_client": ("export.metrics",),
    "opentelemetry": ("export.otlp",),
    "pyarrow": ("fleet.row_files",),  # tables that others exported as Parquet
    "codecarbon": ("integrations.codecarbon",),  # its handler's base class, when a user of codecarbon asks for it
}
"""Every other package is allowed nowhere: codecarbon's tables are found by path (importing it would start
NVML), and what a future room needs is added with the room."""
THIRD_PARTY_TYPES = {
    "pandas": ("report.result", "report.run_result", "estimation.doors"),
    "plotly": ("charts",),
}
"""Named in a signature alone, under TYPE_CHECKING."""

KNOWN_CIRCLES: dict[str, str] = {}

NETWORK = ("socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "urllib3")
NETWORKERS = {
    "fleet.prometheus": "asked for by name, an address that the user gives: the metrics of past jobs",
    "fleet.access": "takes an address apart; opens nothing",
    "fleet.connections": "the connections of fleet.prometheus",
    "export.serving": "asked for by name: listens, on loopback unless an address is named",
    "export.sending": "asked for by name, an address that the user gives: numbers of live runs",
    "export.outputs": "writes a path of an address; opens nothing",
}
LOG_SETUP = ("basicConfig", "dictConfig", "fileConfig", "addHandler", "setLevel")
GUARDS = ("measurement.sampler", "measurement.tracker")
"""What runs inside somebody's training: whatever goes wrong there becomes a note, so these may catch all."""

PRINTERS = ("cli", "throughput.calibrate", "estimation.power_calibration")  # the latter print their tables

MOST_FILE_LINES, MOST_FUNCTION_LINES = 400, 60
LONG_FILES = {
    "formulas/compute.py": "docstrings: three quarters of its lines say what an equation leaves out and who states it",
    "values.py": "one record after another, no logic",
    "studies.py": "one record after another, no logic",
}
LONG_FUNCTIONS: dict[str, str] = {}

DECIMALS = {
    ("accounting/grid.py", "0.05"): "the percentiles that a Range holds",
    ("accounting/grid.py", "0.95"): "the percentiles that a Range holds",
    ("catalog/lookups.py", "0.15"): "named: how far a driver's memory may be from the data sheet's",
    ("estimation/power_calibration.py", "0.02"): "named: no load below can be told from idle",
    ("estimation/power_calibration.py", "0.05"): "the percentiles that a Range holds, named",
    ("estimation/power_calibration.py", "0.95"): "the percentiles that a Range holds, named",
    ("estimation/power_calibration.py", "0.98"): "named: no load above can be told from the maximum",
    ("measurement/sensors/nvml_meters.py", "0.02"): "named: power is read no more often",
    ("measurement/sensors/cpu.py", "0.0001"): "named: a slower read of the load gives way to a cheaper one",
    ("measurement/sensors/rapl.py", "0.001"): "named: how often the counters move",
    (
        "measurement/tracker/recorder.py",
        "0.004",
    ): "named: a timing of the tracker's own, METHODOLOGY says what it costs",
    (
        "measurement/tracker/recorder.py",
        "0.048",
    ): "named: a timing of the tracker's own, METHODOLOGY says what it costs",
    ("measurement/sampler/shift.py", "0.02"): "named: counters that take no longer are read at one moment",
    ("measurement/tracker/words.py", "0.05"): "named: the shortest interval between readings",
    ("measurement/tracker/forecasting.py", "0.01"): "named: below it a forecast says nothing of a budget",
    ("measurement/command.py", "0.02"): "named: within it a signal to many processes has reached them all",
    ("report/wording.py", "0.01"): "named: below it a share is next to nothing",
    ("evidence.py", "0.95"): "named: the coverage that the best grade of evidence asks for",
    ("fleet/months.py", "0.01"): "named: how many devices more than were allocated are still those",
    ("fleet/jobs.py", "0.05"): "named: how far a counter and power may differ before it is told",
    ("fleet/jobs.py", "0.001"): "named: the share of a job's energy from which its edges are told",
    ("fleet/many_told.py", "0.001"): "named: the share of a job's energy from which its edges are told",
    ("report/layout.py", "0.01"): "named: below it a share of a step is next to nothing",
    ("throughput/whole_run.py", "0.05"): "the percentiles that a Range holds, and a named floor of residuals",
    ("throughput/whole_run.py", "0.95"): "the percentiles that a Range holds",
    ("values.py", "0.05"): "the percentiles that a Range holds, named",
    ("values.py", "0.95"): "the percentiles that a Range holds, named",
}
CONVERSIONS = frozenset((24, 60, 100, 365, 1000, 1024, 3600, 8760, 10**6, 10**9, 10**12, 3.6e6, 1e-3, 1e-6, 1e-9))

NO_UNIT = {
    ("Range", "low"): "the unit is in the name of the field that holds the Range",
    ("Range", "mid"): "the unit is in the name of the field that holds the Range",
    ("Range", "high"): "the unit is in the name of the field that holds the Range",
    ("Assumption", "value"): "the unit is in its `field`",
    ("Layout", "time_shares"): "pairs of a part of a step and its share",
    ("Scenario", "inputs"): "pairs of a word and its value: the unit is in the word",
    ("Step", "value"): "the unit is in its `field`",
    ("Step", "inputs"): "pairs of a named input and its number: the unit is in the name",
}
NO_BOUNDARY = {
    ("Published", "energy_kwh"): "the authors' boundary; `energy_basis` says which",
    ("Published", "location_kgco2e"): "what the authors state; some include more than operation",
}
HARDWARE = ("Accelerator", "Node", "Rates")
"""Records of hardware: their `embodied_` is per device."""


@dataclass(frozen=True)
class Import:
    """One import statement's target: a module, whether for type checking alone, whether inside a function."""

    file: Path
    line: int
    module: str
    types_only: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(self.file.anchor)}:{self.line} imports {self.module}"


def files(package: Path = PACKAGE) -> list[Path]:
    return sorted(p for p in package.rglob("*.py") if "__pycache__" not in p.parts)


def module_of(file: Path, package: Path = PACKAGE) -> str:
    parts = (package.name, *file.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _parsed(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text)))


def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's code, the module first."""
    return _parsed(file.read_text(encoding="utf-8"))


def imports(file: Path, package: Path = PACKAGE) -> Iterator[Import]:
    """Every import of a file, function-level and type-only ones too; `from room import leaf` names the leaf."""
    typing = {
        id(inner)
        for node in nodes(file)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in nodes(file):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import; write the whole name"
            base = str(node.module)
            leaves = [f"{base}.{alias.name}" for alias in node.names]
            names = [leaf if _is_module(leaf, package) else base for leaf in leaves]
        else:
            continue
        for name in dict.fromkeys(names):
            yield Import(file, node.lineno, name, id(node) in typing)


def _is_module(name: str, package: Path) -> bool:
    head, *rest = name.split(".")
    place = package.joinpath(*rest)
    return head == package.name and bool(rest) and (place.is_dir() or place.with_suffix(".py").is_file())


def room_of(module: str) -> str | None:
    """The longest room that a module lies in; '' for the face."""
    name = module.removeprefix(FACE).removeprefix(".")
    if not name:
        return ""
    rooms = [room for room in FLOORS if name == room or name.startswith(room + ".")]
    return max(rooms, key=len, default=None)


def broken_floors(package: Path) -> list[str]:
    """Imports that go up, sideways, or to the face."""
    found = []
    for file in files(package):
        own = room_of(module_of(file, package))
        if own == "":
            continue  # the face may name any room: it imports them when asked for
        for one in imports(file, package):
            if one.module.split(".")[0] != FACE:
                continue
            other = room_of(one.module)
            if other == "":
                found.append(f"{one}: the face; import from the room")
            elif own is None or other is None:
                found.append(f"{one}: a room without a floor")
            elif other != own and FLOORS[other] >= FLOORS[own] and (own, other) not in SAME_FLOOR:
                found.append(f"{one}: from floor {FLOORS[own]} to floor {FLOORS[other]}")
    return found


def circles(package: Path) -> list[str]:
    """Files that import each other round about, lazy and type-only imports included, the face left out."""
    graph = {
        module_of(f, package): {i.module for i in imports(f, package) if i.module.split(".")[0] == FACE} - {FACE}
        for f in files(package)
    }
    graph.pop(FACE, None)
    done: set[str] = set()
    found: list[str] = []

    def walk(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            found.append(" > ".join((*path[path.index(module) :], module)))
            return
        if module in done:
            return
        for other in sorted(graph.get(module, ())):
            walk(other, (*path, module))
        done.add(module)

    for module in sorted(graph):
        walk(module, ())
    return found


def foreign(package: Path) -> list[str]:
    """Imports of packages outside the allow-list of their room."""
    found = []
    for file in files(package):
        own = module_of(file, package).removeprefix(FACE).removeprefix(".")
        for one in imports(file, package):
            top = one.module.split(".")[0]
            if top == FACE or top in sys.stdlib_module_names:
                continue
            rooms = THIRD_PARTY.get(top, ()) + (THIRD_PARTY_TYPES.get(top, ()) if one.types_only else ())
            if not any(own == room or own.startswith(room + ".") for room in rooms):
                found.append(f"{one}: not allowed in {own or 'the face'}")
    return found


def forbidden(file: Path, package: Path = PACKAGE) -> list[str]:
    """Statements that no room may hold: print, global, broad excepts, logging set up, network, late imports by name."""
    own = module_of(file, package).removeprefix(FACE).removeprefix(".")
    may_print = any(own == room or own.startswith(room + ".") for room in PRINTERS)
    found = [
        f"{one}: a network module"
        for one in imports(file, package)
        if one.module.split(".")[0] in NETWORK and own not in NETWORKERS
    ]
    for node in nodes(file):
        place = f"{file}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Global):
            found.append(f"{place}: global")
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            is_guard = any(own == room or own.startswith(room + ".") for room in GUARDS) and caught == "Exception"
            if node.type is None or (re.search(r"\b(Base)?Exception\b", caught) and not is_guard):
                found.append(f"{place}: except {caught}")
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "print" and not may_print:
                found.append(f"{place}: print")
            if name.split(".")[-1] in LOG_SETUP:
                found.append(f"{place}: {name}")
            if name.split(".")[-1] in ("import_module", "__import__") and own:
                found.append(f"{place}: {name} hides an import from this test")
    return found


def code_numbers(file: Path) -> Iterator[tuple[int, str]]:
    """Number literals of the code; docstrings and comments are none."""
    with io.StringIO(file.read_text(encoding="utf-8")) as text:
        for token in tokenize.generate_tokens(text.readline):
            if token.type == tokenize.NUMBER:
                yield token.start[0], token.string


def test_every_file_has_a_floor() -> None:
    homeless = [str(f.relative_to(ROOT)) for f in files() if room_of(module_of(f)) is None]
    assert not homeless


def test_each_floor_imports_only_floors_below() -> None:
    assert broken_floors(PACKAGE) == []


def test_formulas_import_only_units() -> None:
    allowed = {"footprint.units", "__future__", "typing", "collections.abc", "math"}
    found = [str(i) for f in files() if "formulas" in f.parts for i in imports(f) if i.module not in allowed]
    assert found == []


def test_no_circles_among_files() -> None:
    assert circles(PACKAGE) == list(KNOWN_CIRCLES), "break it: move what both need into a third file"


def test_third_party_packages_stand_only_where_they_are_allowed() -> None:
    assert foreign(PACKAGE) == []


def test_the_allow_lists_name_no_room_that_needs_nothing() -> None:
    used = {(i.module.split(".")[0], module_of(f).removeprefix(FACE + ".")) for f in files() for i in imports(f)}
    idle = [
        (package, room)
        for table in (THIRD_PARTY, THIRD_PARTY_TYPES)
        for package, rooms in table.items()
        for room in rooms
        if not any(p == package and (m == room or m.startswith(room + ".")) for p, m in used)
    ]
    assert [pair for pair in idle if pair != ("rich", "cli")] == []  # rich is the command line's by right


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("formulas/bad.py", "from footprint.values import Range", "room on one floor"),
        ("units.py", "def late():\n    from footprint.report import text", "from floor 1 to floor 4"),
        ("values.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import footprint.cli", "to floor 8"),
        ("report/bad.py", "from footprint.accounting import grid", "from floor 4 to floor 4"),
        ("cli/bad.py", "from footprint import estimate", "the face"),
        ("kitchen.py", "from footprint import errors", "a room without a floor"),
    ],
)
def test_the_floors_test_sees_a_wrong_import(tmp_path: Path, file: str, line: str, told: str) -> None:
    package = tmp_path / FACE
    for folder in ("report", "accounting", "cli", "formulas"):
        (package / folder).mkdir(parents=True)
    for name in ("values.py", "errors.py", "units.py", "accounting/grid.py", "report/text.py"):
        (package / name).write_text("", encoding="utf-8")
    assert broken_floors(package) == []
    (package / file).write_text(line, encoding="utf-8")
    (complaint,) = broken_floors(package)
    assert (told if told != "room on one floor" else "from floor 2 to floor 2") in complaint


def test_the_circles_test_sees_a_lazy_circle(tmp_path: Path) -> None:
    room = tmp_path / FACE / "report"
    room.mkdir(parents=True)
    (room / "a.py").write_text("from footprint.report import b", encoding="utf-8")
    (room / "b.py").write_text("def late():\n    from footprint.report import a", encoding="utf-8")
    assert circles(tmp_path / FACE) == ["footprint.report.a > footprint.report.b > footprint.report.a"]


@pytest.mark.parametrize(
    "line",
    [
        "print(1)",
        "def f():\n    global x",
        "try:\n    pass\nexcept:\n    pass",
        "try:\n    pass\nexcept (ValueError, Exception):\n    pass",
        "import logging\nlogging.basicConfig()",
        "import urllib.request",
        "from importlib import import_module\nimport_module('pandas')",
    ],
)
def test_the_statement_test_sees_each_forbidden_one(tmp_path: Path, line: str) -> None:
    package = tmp_path / FACE
    package.mkdir()
    (package / "units.py").write_text(line, encoding="utf-8")
    assert len(forbidden(package / "units.py", package)) == 1


@pytest.mark.parametrize("line", ["import codecarbon", "import torch", "def f():\n    import pynvml", "import plotly"])
def test_the_package_test_sees_a_foreign_import(tmp_path: Path, line: str) -> None:
    package = tmp_path / FACE
    package.mkdir()
    (package / "values.py").write_text(line, encoding="utf-8")
    assert len(foreign(package)) == 1


def test_no_file_prints_sets_up_logging_reaches_the_network_or_catches_everything() -> None:
    assert [complaint for file in files() for complaint in forbidden(file)] == []


def test_numbers_with_decimals_stand_in_the_data_not_in_the_code() -> None:
    found = {
        (str(file.relative_to(PACKAGE)), number)
        for file in files()
        if file.name != "units.py"
        for _, number in code_numbers(file)
        if re.fullmatch(r"[\d_]*\.\d{2,}([eE][+-]?\d+)?", number)
    }
    assert found == set(DECIMALS), "move it to data/constants.csv, or give the reason in DECIMALS"


def test_units_are_converted_in_one_file_only() -> None:
    found = []
    for file in files():
        if file.name == "units.py":
            continue
        for node in nodes(file):
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.FloorDiv)):
                for side in (node.left, node.right):
                    if isinstance(side, ast.Constant) and side.value in CONVERSIONS:
                        found.append(f"{file}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


def test_files_stay_short() -> None:
    long = {str(f.relative_to(PACKAGE)) for f in files() if len(f.read_text("utf-8").splitlines()) > MOST_FILE_LINES}
    assert long == set(LONG_FILES), "split it, or give the reason in LONG_FILES"


def test_functions_stay_short() -> None:
    long = set()
    for file in files():
        for node in nodes(file):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[0]
                is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                doc = (first.end_lineno or 0) - first.lineno + 1 if is_doc else 0
                if (node.end_lineno or 0) - node.lineno + 1 - doc > MOST_FUNCTION_LINES:
                    long.add(f"{file.relative_to(PACKAGE)}:{node.name}")
    assert long == set(LONG_FUNCTIONS), "split it, or give the reason in LONG_FUNCTIONS"


def test_every_module_says_in_its_first_line_what_it_is() -> None:
    mute = [str(f.relative_to(ROOT)) for f in files() if not ast.get_docstring(nodes(f)[0])]
    assert mute == []


# names


RECORDS = {
    name: kind
    for name, kind in {**vars(values), **vars(studies)}.items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}


def quantities() -> list[tuple[str, str]]:
    """(record, field) of every field of `values` and `studies` that holds a Range or a float."""
    return [
        (name, field.name)
        for name, kind in RECORDS.items()
        for field in dataclasses.fields(kind)
        if re.search(r"\b(Range|float)\b", str(field.type))
    ]


def test_every_quantity_ends_in_its_unit_or_in_a_word_without_one() -> None:
    nameless = {(record, field) for record, field in quantities() if units.unit_of(field) is None}
    assert nameless == set(NO_UNIT), "end the name in one of units.UNITS or units.WORDS"


def test_energy_says_which_boundary_it_has() -> None:
    bare = {
        (record, field)
        for record, field in quantities()
        if units.unit_of(field) == "_kwh"
        and not re.match(r"((stalled|attributed|wasted|hourly)_it|it|facility|nameplate)_energy_kwh$", field)
    }
    assert bare == {pair for pair in NO_BOUNDARY if pair[1].endswith("_kwh")}


def test_carbon_says_operational_or_embodied_and_location_or_market() -> None:
    carbon = {(record, field) for record, field in quantities() if units.unit_of(field) == "_kgco2e"}
    proper = re.compile(r"((operational|total)_(location|market)|embodied)_kgco2e$")
    per_device = re.compile(r"embodied_((accelerator|host)_)?kgco2e$")
    bare = {(r, f) for r, f in carbon if not (per_device if r in HARDWARE else proper).match(f)}
    assert bare == {pair for pair in NO_BOUNDARY if pair[1].endswith("_kgco2e")}


def test_grid_intensity_says_location_or_market() -> None:
    grids = {field for _, field in quantities() if units.unit_of(field) == "_g_per_kwh"}
    assert grids == {"location_intensity_g_per_kwh", "market_intensity_g_per_kwh"}


def test_values_hold_no_arithmetic_and_do_not_change() -> None:
    for kind in RECORDS.values():
        assert kind.__dataclass_params__.frozen, kind.__name__  # type: ignore[attr-defined]
        assert "__slots__" in vars(kind), kind.__name__
        operators = {"__add__", "__mul__", "__sub__", "__truediv__", "__radd__", "__rmul__", "__neg__"}
        assert not operators & set(vars(kind)), kind.__name__
    for file in ("values.py", "studies.py"):
        found = nodes(PACKAGE / file)
        assert not [node.lineno for node in found if isinstance(node, ast.BinOp) and not _is_type(node)], file


def _is_type(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.BitOr)


# the face


def test_the_face_is_small_sorted_and_leads_somewhere() -> None:
    assert footprint.__all__ == sorted(footprint.__all__)
    assert len(footprint.__all__) <= 20
    homes: dict[str, Any] = footprint._HOMES
    assert set(footprint.__all__) == set(homes) | {"__version__"}
    for name, home in homes.items():
        found = getattr(footprint, name)
        if home == f"{FACE}.{name}":  # a room of functions that share one word, such as `footprint.charts.answer`
            assert found is sys.modules[home], name
            continue
        assert found.__module__ == home, name
        assert found.__name__ == name
    assert dir(footprint) == footprint.__all__


def test_an_unknown_name_of_the_face_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'footprint' has no attribute 'utils'"):
        footprint.utils  # noqa: B018


def test_importing_the_face_loads_no_heavy_package() -> None:
    heavy = ("numpy", "pandas", "plotly", "typer", "rich", "yaml", "codecarbon", "hypothesis")
    code = f"import footprint, sys; print(*[m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_estimate_loads_neither_pandas_nor_plotly_nor_codecarbon() -> None:
    heavy = ("pandas", "plotly", "typer", "yaml", "codecarbon", "pynvml")
    code = (
        "import footprint, sys\n"
        "footprint.estimate(params='7B', tokens='1T', accelerator='h100-sxm', country='FR')\n"
        f"print(*[m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_version_is_the_project_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__ == footprint.__version__
