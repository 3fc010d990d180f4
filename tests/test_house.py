    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
"""The house's own rules: which room may import which, what stands in a name, and what no file may do."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from __future__ import annotations
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import ast
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import dataclasses
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import io
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import re
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import subprocess
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import sys
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import tokenize
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import tomllib
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from collections.abc import Iterator
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from dataclasses import dataclass
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from functools import cache
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from pathlib import Path
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from typing import Any
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import pytest
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
import footprint
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from footprint import studies, units, values
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
from footprint.version import __version__
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
ROOT = Path(__file__).resolve().parent.parent
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
PACKAGE = ROOT / "footprint"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
FLOORS: dict[str, int] = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "errors": 1,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "units": 1,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "version": 1,  # read by every floor that stamps a result; the face above it is then imported by none
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "values": 2,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "studies": 2,  # records of wider questions, which no training that is measured has to wait for
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "moments": 2,  # how people write them: for the command line, the app, the charts and the months of a cluster
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "formulas": 2,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "catalog": 3,  # a package: files, records, schema and lookups are one room
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "derivation": 3,  # calls formulas and makes Steps: above values, and both floors that calculate need it
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "uncertainty": 3,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "evidence": 3,  # the grade of a run: fleet and tracker give it, every report says it in the same words
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "records": 3,  # values as plain data and back: the store, the journals and every report write them the same way
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "store": 3,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.claims": 3,  # who counts a device on a host: apart from sensors, which only read, and from time
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.launcher": 3,  # what torchrun, SLURM, MPI and Kubernetes say of a process
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement": 3,  # the room's door alone
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.sensors": 3,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.sampler": 3,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.metering": 3,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.journal": 3,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "accounting": 4,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "throughput": 4,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "report": 4,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.limits": 4,  # the catalog's constants for metering, which knows no catalog
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.following": 4,  # the end of journals that grow, for a screen: reads lines, adds nothing up
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "estimation": 5,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.tracker": 5,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "measurement.command": 5,  # runs a child in one's place: nothing of sensors or energy, so neither needs the other
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "fleet": 5,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "charts": 6,  # what users call to draw: asks doors for values, so that page, app and command line draw alike
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "integrations": 6,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "export": 6,  # beside integrations, which live inside a training: it follows journals from without, and may listen
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "app": 7,  # above charts: it draws by the same door as the command line
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "cli": 8,
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "__main__": 8,  # `python -m footprint` is the command line
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
SAME_FLOOR = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("studies", "values"): "what wider questions are answered with is made of values",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("units", "errors"): "a quantity that cannot be read is refused where it is read",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("__main__", "cli"): "the other way to start the same command line",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("store", "records"): "runs are stored as plain data",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("store", "measurement.journal"): "where home is and which folders hold journals is said once",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement.journal", "records"): "a journal's first line holds meters as plain data",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement.sensors", "catalog"): "the watts of a modelled sensor and the error of a measured one are rows",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
FACE = "footprint"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
THIRD_PARTY: dict[str, tuple[str, ...]] = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "numpy": ("derivation", "uncertainty", "throughput", "estimation.sweeping"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "pandas": ("report.frames", "estimation.sweeping"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "scipy": ("throughput.fitting",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "plotly": ("report.charts", "report.page_pictures"),  # the page holds the library, once for all of its charts
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "rich": ("report", "cli"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "typer": ("cli",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "yaml": ("estimation.words", "integrations.model_card", "fleet.site_file_words"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "psutil": ("measurement.sensors.cpu",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "sqlalchemy": ("store",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "psycopg": ("store.postgres_engine",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "pynvml": ("measurement.sensors.nvml_driver",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "amdsmi": ("measurement.sensors.amd",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "transformers": ("integrations.transformers",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "huggingface_hub": ("integrations.model_card",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "lightning": ("integrations.lightning",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "pytorch_lightning": ("integrations.lightning",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "keras": ("integrations.keras",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "accelerate": ("integrations.accelerate",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "dash": ("app",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "flask": ("app",),  # dash's own server: headers, the token and the names by which it may be reached
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "werkzeug": ("app.serving",),  # flask's: bound here without its banner and its log
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "prometheus_client": ("export.metrics",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "opentelemetry": ("export.otlp",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "pyarrow": ("fleet.row_files",),  # tables that others exported as Parquet
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "codecarbon": ("integrations.codecarbon",),  # its handler's base class, when a user of codecarbon asks for it
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
"""Every other package is allowed nowhere: codecarbon's tables are found by path (importing it would start
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
NVML), and what a future room needs is added with the room."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
THIRD_PARTY_TYPES = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "pandas": ("report.result", "report.run_result", "estimation.doors"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "plotly": ("charts",),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
"""Named in a signature alone, under TYPE_CHECKING."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
KNOWN_CIRCLES: dict[str, str] = {}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
NETWORK = ("socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "urllib3")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
NETWORKERS = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "fleet.prometheus": "asked for by name, an address that the user gives: the metrics of past jobs",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "fleet.access": "takes an address apart; opens nothing",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "export.serving": "asked for by name: listens, on loopback unless an address is named",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "export.sending": "asked for by name, an address that the user gives: numbers of live runs",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "export.outputs": "writes a path of an address; opens nothing",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
LOG_SETUP = ("basicConfig", "dictConfig", "fileConfig", "addHandler", "setLevel")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
GUARDS = ("measurement.sampler", "measurement.tracker")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
"""What runs inside somebody's training: whatever goes wrong there becomes a note, so these may catch all."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
PRINTERS = ("cli", "throughput.calibrate", "estimation.power_calibration")  # the latter print their tables
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
MOST_FILE_LINES, MOST_FUNCTION_LINES = 400, 60
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
LONG_FILES = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "formulas/compute.py": "docstrings: three quarters of its lines say what an equation leaves out and who states it",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "values.py": "one record after another, no logic",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "studies.py": "one record after another, no logic",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
LONG_FUNCTIONS: dict[str, str] = {}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
DECIMALS = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("accounting/grid.py", "0.05"): "the percentiles that a Range holds",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("accounting/grid.py", "0.95"): "the percentiles that a Range holds",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("catalog/lookups.py", "0.15"): "named: how far a driver's memory may be from the data sheet's",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("estimation/power_calibration.py", "0.02"): "named: no load below can be told from idle",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("estimation/power_calibration.py", "0.05"): "the percentiles that a Range holds, named",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("estimation/power_calibration.py", "0.95"): "the percentiles that a Range holds, named",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("estimation/power_calibration.py", "0.98"): "named: no load above can be told from the maximum",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement/sensors/nvml_meters.py", "0.02"): "named: power is read no more often",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement/sensors/cpu.py", "0.0001"): "named: a slower read of the load gives way to a cheaper one",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement/sensors/rapl.py", "0.001"): "named: how often the counters move",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "measurement/tracker/recorder.py",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "0.004",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ): "named: a timing of the tracker's own, METHODOLOGY says what it costs",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "measurement/tracker/recorder.py",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "0.04",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ): "named: a timing of the tracker's own, METHODOLOGY says what it costs",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement/tracker/words.py", "0.05"): "named: the shortest interval between readings",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement/tracker/forecasting.py", "0.01"): "named: below it a forecast says nothing of a budget",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("measurement/command.py", "0.02"): "named: within it a signal to many processes has reached them all",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("report/wording.py", "0.01"): "named: below it a share is next to nothing",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("evidence.py", "0.95"): "named: the coverage that the best grade of evidence asks for",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("fleet/months.py", "0.01"): "named: how many devices more than were allocated are still those",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("fleet/jobs.py", "0.05"): "named: how far a counter and power may differ before it is told",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("fleet/jobs.py", "0.001"): "named: the share of a job's energy from which its edges are told",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("fleet/many_told.py", "0.001"): "named: the share of a job's energy from which its edges are told",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("report/layout.py", "0.01"): "named: below it a share of a step is next to nothing",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("throughput/whole_run.py", "0.05"): "the percentiles that a Range holds, and a named floor of residuals",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("throughput/whole_run.py", "0.95"): "the percentiles that a Range holds",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("values.py", "0.05"): "the percentiles that a Range holds, named",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("values.py", "0.95"): "the percentiles that a Range holds, named",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
CONVERSIONS = frozenset((24, 60, 100, 365, 1000, 1024, 3600, 8760, 10**6, 10**9, 10**12, 3.6e6, 1e-3, 1e-6, 1e-9))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
NO_UNIT = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Range", "low"): "the unit is in the name of the field that holds the Range",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Range", "mid"): "the unit is in the name of the field that holds the Range",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Range", "high"): "the unit is in the name of the field that holds the Range",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Assumption", "value"): "the unit is in its `field`",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Layout", "time_shares"): "pairs of a part of a step and its share",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Scenario", "inputs"): "pairs of a word and its value: the unit is in the word",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Step", "value"): "the unit is in its `field`",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Step", "inputs"): "pairs of a named input and its number: the unit is in the name",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
NO_BOUNDARY = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Published", "energy_kwh"): "the authors' boundary; `energy_basis` says which",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("Published", "location_kgco2e"): "what the authors state; some include more than operation",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
HARDWARE = ("Accelerator", "Node", "Rates")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
"""Records of hardware: their `embodied_` is per device."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
@dataclass(frozen=True)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
class Import:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """One import statement's target: a module, whether for type checking alone, whether inside a function."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    file: Path
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    line: int
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    module: str
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    types_only: bool
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    def __str__(self) -> str:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        return f"{self.file.relative_to(self.file.anchor)}:{self.line} imports {self.module}"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def files(package: Path = PACKAGE) -> list[Path]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return sorted(p for p in package.rglob("*.py") if "__pycache__" not in p.parts)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def module_of(file: Path, package: Path = PACKAGE) -> str:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    parts = (package.name, *file.relative_to(package).with_suffix("").parts)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
@cache
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def _parsed(text: str) -> tuple[ast.AST, ...]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return tuple(ast.walk(ast.parse(text)))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def nodes(file: Path) -> tuple[ast.AST, ...]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Every node of a file's code, the module first."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return _parsed(file.read_text(encoding="utf-8"))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def imports(file: Path, package: Path = PACKAGE) -> Iterator[Import]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Every import of a file, function-level and type-only ones too; `from room import leaf` names the leaf."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    typing = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        id(inner)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for node in nodes(file)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for statement in node.body
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for inner in ast.walk(statement)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    }
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for node in nodes(file):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if isinstance(node, ast.Import):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            names = [alias.name for alias in node.names]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        elif isinstance(node, ast.ImportFrom):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            assert node.level == 0, f"{file}:{node.lineno}: relative import; write the whole name"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            base = str(node.module)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            leaves = [f"{base}.{alias.name}" for alias in node.names]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            names = [leaf if _is_module(leaf, package) else base for leaf in leaves]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        else:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            continue
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for name in dict.fromkeys(names):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            yield Import(file, node.lineno, name, id(node) in typing)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def _is_module(name: str, package: Path) -> bool:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    head, *rest = name.split(".")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    place = package.joinpath(*rest)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return head == package.name and bool(rest) and (place.is_dir() or place.with_suffix(".py").is_file())
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def room_of(module: str) -> str | None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """The longest room that a module lies in; '' for the face."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    name = module.removeprefix(FACE).removeprefix(".")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    if not name:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        return ""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    rooms = [room for room in FLOORS if name == room or name.startswith(room + ".")]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return max(rooms, key=len, default=None)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def broken_floors(package: Path) -> list[str]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Imports that go up, sideways, or to the face."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found = []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for file in files(package):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        own = room_of(module_of(file, package))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if own == "":
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            continue  # the face may name any room: it imports them when asked for
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for one in imports(file, package):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if one.module.split(".")[0] != FACE:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                continue
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            other = room_of(one.module)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if other == "":
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{one}: the face; import from the room")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            elif own is None or other is None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{one}: a room without a floor")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            elif other != own and FLOORS[other] >= FLOORS[own] and (own, other) not in SAME_FLOOR:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{one}: from floor {FLOORS[own]} to floor {FLOORS[other]}")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return found
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def circles(package: Path) -> list[str]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Files that import each other round about, lazy and type-only imports included, the face left out."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    graph = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        module_of(f, package): {i.module for i in imports(f, package) if i.module.split(".")[0] == FACE} - {FACE}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for f in files(package)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    }
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    graph.pop(FACE, None)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    done: set[str] = set()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found: list[str] = []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    def walk(module: str, path: tuple[str, ...]) -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if module in path:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            found.append(" > ".join((*path[path.index(module) :], module)))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            return
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if module in done:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            return
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for other in sorted(graph.get(module, ())):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            walk(other, (*path, module))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        done.add(module)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for module in sorted(graph):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        walk(module, ())
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return found
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def foreign(package: Path) -> list[str]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Imports of packages outside the allow-list of their room."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found = []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for file in files(package):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        own = module_of(file, package).removeprefix(FACE).removeprefix(".")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for one in imports(file, package):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            top = one.module.split(".")[0]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if top == FACE or top in sys.stdlib_module_names:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                continue
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            rooms = THIRD_PARTY.get(top, ()) + (THIRD_PARTY_TYPES.get(top, ()) if one.types_only else ())
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if not any(own == room or own.startswith(room + ".") for room in rooms):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{one}: not allowed in {own or 'the face'}")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return found
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def forbidden(file: Path, package: Path = PACKAGE) -> list[str]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Statements that no room may hold: print, global, broad excepts, logging set up, network, late imports by name."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    own = module_of(file, package).removeprefix(FACE).removeprefix(".")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    may_print = any(own == room or own.startswith(room + ".") for room in PRINTERS)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found = [
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        f"{one}: a network module"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for one in imports(file, package)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if one.module.split(".")[0] in NETWORK and own not in NETWORKERS
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for node in nodes(file):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        place = f"{file}:{getattr(node, 'lineno', 0)}"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if isinstance(node, ast.Global):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            found.append(f"{place}: global")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if isinstance(node, ast.ExceptHandler):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            caught = ast.unparse(node.type) if node.type else "everything"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            is_guard = any(own == room or own.startswith(room + ".") for room in GUARDS) and caught == "Exception"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if node.type is None or (re.search(r"\b(Base)?Exception\b", caught) and not is_guard):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{place}: except {caught}")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if isinstance(node, ast.Call):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            name = ast.unparse(node.func)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if name == "print" and not may_print:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{place}: print")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if name.split(".")[-1] in LOG_SETUP:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{place}: {name}")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if name.split(".")[-1] in ("import_module", "__import__") and own:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                found.append(f"{place}: {name} hides an import from this test")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return found
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def code_numbers(file: Path) -> Iterator[tuple[int, str]]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """Number literals of the code; docstrings and comments are none."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    with io.StringIO(file.read_text(encoding="utf-8")) as text:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for token in tokenize.generate_tokens(text.readline):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if token.type == tokenize.NUMBER:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                yield token.start[0], token.string
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_every_file_has_a_floor() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    homeless = [str(f.relative_to(ROOT)) for f in files() if room_of(module_of(f)) is None]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert not homeless
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_each_floor_imports_only_floors_below() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert broken_floors(PACKAGE) == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_formulas_import_only_units() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    allowed = {"footprint.units", "__future__", "typing", "collections.abc", "math"}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found = [str(i) for f in files() if "formulas" in f.parts for i in imports(f) if i.module not in allowed]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert found == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_no_circles_among_files() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert circles(PACKAGE) == list(KNOWN_CIRCLES), "break it: move what both need into a third file"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_third_party_packages_stand_only_where_they_are_allowed() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert foreign(PACKAGE) == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_allow_lists_name_no_room_that_needs_nothing() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    used = {(i.module.split(".")[0], module_of(f).removeprefix(FACE + ".")) for f in files() for i in imports(f)}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    idle = [
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        (package, room)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for table in (THIRD_PARTY, THIRD_PARTY_TYPES)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for package, rooms in table.items()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for room in rooms
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if not any(p == package and (m == room or m.startswith(room + ".")) for p, m in used)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert [pair for pair in idle if pair != ("rich", "cli")] == []  # rich is the command line's by right
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
@pytest.mark.parametrize(
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ("file", "line", "told"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    [
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        ("formulas/bad.py", "from footprint.values import Range", "room on one floor"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        ("units.py", "def late():\n    from footprint.report import text", "from floor 1 to floor 4"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        ("values.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import footprint.cli", "to floor 8"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        ("report/bad.py", "from footprint.accounting import grid", "from floor 4 to floor 4"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        ("cli/bad.py", "from footprint import estimate", "the face"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        ("kitchen.py", "from footprint import errors", "a room without a floor"),
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ],
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_floors_test_sees_a_wrong_import(tmp_path: Path, file: str, line: str, told: str) -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    package = tmp_path / FACE
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for folder in ("report", "accounting", "cli", "formulas"):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        (package / folder).mkdir(parents=True)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for name in ("values.py", "errors.py", "units.py", "accounting/grid.py", "report/text.py"):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        (package / name).write_text("", encoding="utf-8")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert broken_floors(package) == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (package / file).write_text(line, encoding="utf-8")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (complaint,) = broken_floors(package)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert (told if told != "room on one floor" else "from floor 2 to floor 2") in complaint
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_circles_test_sees_a_lazy_circle(tmp_path: Path) -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    room = tmp_path / FACE / "report"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    room.mkdir(parents=True)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (room / "a.py").write_text("from footprint.report import b", encoding="utf-8")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (room / "b.py").write_text("def late():\n    from footprint.report import a", encoding="utf-8")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert circles(tmp_path / FACE) == ["footprint.report.a > footprint.report.b > footprint.report.a"]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
@pytest.mark.parametrize(
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    "line",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    [
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "print(1)",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "def f():\n    global x",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "try:\n    pass\nexcept:\n    pass",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "try:\n    pass\nexcept (ValueError, Exception):\n    pass",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "import logging\nlogging.basicConfig()",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "import urllib.request",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "from importlib import import_module\nimport_module('pandas')",
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ],
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_statement_test_sees_each_forbidden_one(tmp_path: Path, line: str) -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    package = tmp_path / FACE
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    package.mkdir()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (package / "units.py").write_text(line, encoding="utf-8")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert len(forbidden(package / "units.py", package)) == 1
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
@pytest.mark.parametrize("line", ["import codecarbon", "import torch", "def f():\n    import pynvml", "import plotly"])
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_package_test_sees_a_foreign_import(tmp_path: Path, line: str) -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    package = tmp_path / FACE
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    package.mkdir()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    (package / "values.py").write_text(line, encoding="utf-8")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert len(foreign(package)) == 1
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_no_file_prints_sets_up_logging_reaches_the_network_or_catches_everything() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert [complaint for file in files() for complaint in forbidden(file)] == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_numbers_with_decimals_stand_in_the_data_not_in_the_code() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        (str(file.relative_to(PACKAGE)), number)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for file in files()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if file.name != "units.py"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for _, number in code_numbers(file)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if re.fullmatch(r"[\d_]*\.\d{2,}([eE][+-]?\d+)?", number)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    }
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert found == set(DECIMALS), "move it to data/constants.csv, or give the reason in DECIMALS"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_units_are_converted_in_one_file_only() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    found = []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for file in files():
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if file.name == "units.py":
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            continue
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for node in nodes(file):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.FloorDiv)):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                for side in (node.left, node.right):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                    if isinstance(side, ast.Constant) and side.value in CONVERSIONS:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                        found.append(f"{file}:{node.lineno}: {ast.unparse(node)}")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert found == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_files_stay_short() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    long = {str(f.relative_to(PACKAGE)) for f in files() if len(f.read_text("utf-8").splitlines()) > MOST_FILE_LINES}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert long == set(LONG_FILES), "split it, or give the reason in LONG_FILES"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_functions_stay_short() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    long = set()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for file in files():
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for node in nodes(file):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                first = node.body[0]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                doc = (first.end_lineno or 0) - first.lineno + 1 if is_doc else 0
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                if (node.end_lineno or 0) - node.lineno + 1 - doc > MOST_FUNCTION_LINES:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
                    long.add(f"{file.relative_to(PACKAGE)}:{node.name}")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert long == set(LONG_FUNCTIONS), "split it, or give the reason in LONG_FUNCTIONS"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_every_module_says_in_its_first_line_what_it_is() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    mute = [str(f.relative_to(ROOT)) for f in files() if not ast.get_docstring(nodes(f)[0])]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert mute == []
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
# names
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
RECORDS = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    name: kind
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for name, kind in {**vars(values), **vars(studies)}.items()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def quantities() -> list[tuple[str, str]]:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    """(record, field) of every field of `values` and `studies` that holds a Range or a float."""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return [
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        (name, field.name)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for name, kind in RECORDS.items()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for field in dataclasses.fields(kind)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if re.search(r"\b(Range|float)\b", str(field.type))
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    ]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_every_quantity_ends_in_its_unit_or_in_a_word_without_one() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    nameless = {(record, field) for record, field in quantities() if units.unit_of(field) is None}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert nameless == set(NO_UNIT), "end the name in one of units.UNITS or units.WORDS"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_energy_says_which_boundary_it_has() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    bare = {
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        (record, field)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        for record, field in quantities()
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if units.unit_of(field) == "_kwh"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        and not re.match(r"((stalled|attributed|wasted|hourly)_it|it|facility|nameplate)_energy_kwh$", field)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    }
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert bare == {pair for pair in NO_BOUNDARY if pair[1].endswith("_kwh")}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_carbon_says_operational_or_embodied_and_location_or_market() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    carbon = {(record, field) for record, field in quantities() if units.unit_of(field) == "_kgco2e"}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    proper = re.compile(r"((operational|total)_(location|market)|embodied)_kgco2e$")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    per_device = re.compile(r"embodied_((accelerator|host)_)?kgco2e$")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    bare = {(r, f) for r, f in carbon if not (per_device if r in HARDWARE else proper).match(f)}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert bare == {pair for pair in NO_BOUNDARY if pair[1].endswith("_kgco2e")}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_grid_intensity_says_location_or_market() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    grids = {field for _, field in quantities() if units.unit_of(field) == "_g_per_kwh"}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert grids == {"location_intensity_g_per_kwh", "market_intensity_g_per_kwh"}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_values_hold_no_arithmetic_and_do_not_change() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for kind in RECORDS.values():
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        assert kind.__dataclass_params__.frozen, kind.__name__  # type: ignore[attr-defined]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        assert "__slots__" in vars(kind), kind.__name__
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        operators = {"__add__", "__mul__", "__sub__", "__truediv__", "__radd__", "__rmul__", "__neg__"}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        assert not operators & set(vars(kind)), kind.__name__
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for file in ("values.py", "studies.py"):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        found = nodes(PACKAGE / file)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        assert not [node.lineno for node in found if isinstance(node, ast.BinOp) and not _is_type(node)], file
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def _is_type(node: ast.BinOp) -> bool:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    return isinstance(node.op, ast.BitOr)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
# the face
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_face_is_small_sorted_and_leads_somewhere() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert footprint.__all__ == sorted(footprint.__all__)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert len(footprint.__all__) <= 20
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    homes: dict[str, Any] = footprint._HOMES
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert set(footprint.__all__) == set(homes) | {"__version__"}
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    for name, home in homes.items():
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        found = getattr(footprint, name)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        if home == f"{FACE}.{name}":  # a room of functions that share one word, such as `footprint.charts.answer`
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            assert found is sys.modules[home], name
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
            continue
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        assert found.__module__ == home, name
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        assert found.__name__ == name
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert dir(footprint) == footprint.__all__
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_an_unknown_name_of_the_face_is_an_attribute_error() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    with pytest.raises(AttributeError, match="module 'footprint' has no attribute 'utils'"):
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        footprint.utils  # noqa: B018
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_importing_the_face_loads_no_heavy_package() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    heavy = ("numpy", "pandas", "plotly", "typer", "rich", "yaml", "codecarbon", "hypothesis")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    code = f"import footprint, sys; print(*[m for m in {heavy!r} if m in sys.modules])"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert done.stdout.strip() == ""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_an_estimate_loads_neither_pandas_nor_plotly_nor_codecarbon() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    heavy = ("pandas", "plotly", "typer", "yaml", "codecarbon", "pynvml")
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    code = (
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "import footprint, sys\n"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        "footprint.estimate(params='7B', tokens='1T', accelerator='h100-sxm', country='FR')\n"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
        f"print(*[m for m in {heavy!r} if m in sys.modules])"
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    )
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert done.stdout.strip() == ""
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",

    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
def test_the_version_is_the_project_files() -> None:
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ("measurement/sampler.py", "0.02"): "seconds: counters that take no longer are read at one moment; a fiftieth of an interval",
    assert project["version"] == __version__ == footprint.__version__
