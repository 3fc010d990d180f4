"""The metrics that Prometheus is told: names, kinds and labels, by its own rules for names and base units.

Of every family there is one line in `RUN`, `DEVICE` or `OTHER`; README and the dashboard are checked against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from footprint.errors import MissingExtra
from footprint.export.runs import Shown
from footprint.export.snapshot import DeviceNow, RunNow
from footprint.version import __version__

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["DEVICE", "FAMILIES", "OTHER", "RUN", "Family", "exposition", "families"]

COUNTER, GAUGE = "counter", "gauge"
RUN_LABELS = ("run_id", "run", "project")
DEVICE_LABELS = (*RUN_LABELS, "host", "component", "device", "origin")


@dataclass(frozen=True, slots=True)
class Family:
    """A metric; a counter's name goes without `_total`, which its samples have."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]

    @property
    def sample(self) -> str:
        """As it is asked for."""
        return f"{self.name}_total" if self.kind == COUNTER else self.name


def _of_run(
    name: str, kind: str, help: str, value: Callable[[RunNow], float | None]
) -> tuple[Family, Callable[[RunNow], float | None]]:
    return Family(f"footprint_{name}", kind, help, RUN_LABELS), value


def _of_device(
    name: str, kind: str, help: str, value: Callable[[DeviceNow], float | None]
) -> tuple[Family, Callable[[DeviceNow], float | None]]:
    return Family(f"footprint_{name}", kind, help, DEVICE_LABELS), value


DEVICE = (
    _of_device("energy_joules", COUNTER, "IT energy drawn since the run began, by device.", lambda d: d.energy_j),
    _of_device("power_watts", GAUGE, "Power by device at the last reading.", lambda d: d.power_w),
    _of_device(
        "stalled_energy_joules", COUNTER, "IT energy drawn while the device did next to nothing.",
        lambda d: d.stalled_j,
    ),
    _of_device("utilization_ratio", GAUGE, "Share of time in which the device was at work.", lambda d: d.utilization),
)  # fmt: skip
RUN = (
    _of_run("run_active", GAUGE, "1 while the run goes on, 0 after its end.", lambda r: float(r.is_live)),
    _of_run("run_started_time_seconds", GAUGE, "When the run began, since 1970.", lambda r: r.started_utc_s),
    _of_run(
        "facility_energy_joules", COUNTER, "Energy of the facility: IT energy with what cooling and power cost.",
        lambda r: r.facility_energy_j,
    ),
    _of_run("facility_power_watts", GAUGE, "Power of the facility for this run.", lambda r: r.facility_power_w),
    _of_run(
        "operational_location_co2e_grams", COUNTER, "CO2e of the facility's energy, by the intensity of its grid.",
        lambda r: r.operational_location_co2e_g,
    ),
    _of_run(
        "electricity_cost_usd", COUNTER, "Cost of the facility's energy, where its price is known.",
        lambda r: r.electricity_usd,
    ),
    _of_run(
        "coverage_ratio", GAUGE, "Share of the IT energy that sensors measured, the rest is modelled or assumed.",
        lambda r: r.coverage_ratio,
    ),
    _of_run("steps", COUNTER, "Training steps done.", lambda r: r.steps_count),
    _of_run("tokens", COUNTER, "Tokens trained on.", lambda r: r.tokens),
    _of_run("progress_ratio", GAUGE, "Share of the run that is done.", lambda r: r.done_ratio),
    _of_run(
        "forecast_facility_energy_joules", GAUGE, "Energy of the facility at the run's end, at the pace so far.",
        lambda r: r.forecast_facility_energy_j,
    ),
    _of_run(
        "forecast_operational_location_co2e_grams", GAUGE, "CO2e at the run's end, at the pace so far.",
        lambda r: r.forecast_operational_location_co2e_g,
    ),
    _of_run(
        "forecast_electricity_cost_usd", GAUGE, "Cost of energy at the run's end, at the pace so far.",
        lambda r: r.forecast_electricity_usd,
    ),
    _of_run(
        "forecast_end_time_seconds", GAUGE, "When the run will end, since 1970, at the pace so far.",
        lambda r: r.forecast_end_utc_s,
    ),
)  # fmt: skip
INFO = Family("footprint_run_info", GAUGE, "What the run is.", (*RUN_LABELS, "place", "version"))
READING = Family(
    "footprint_reading_time_seconds", GAUGE, "The moment that a host's numbers are of, since 1970.",
    (*RUN_LABELS, "host"),
)  # fmt: skip
DEVICE_INFO = Family(
    "footprint_device_info", GAUGE, "What the device is.", ("run_id", "host", "device", "name", "scope")
)
USED = Family("footprint_budget_ratio", GAUGE, "Share of a budget that is used.", (*RUN_LABELS, "budget"))
EXPECTED = Family(
    "footprint_forecast_budget_ratio", GAUGE, "Share of a budget at the run's end, at the pace so far.",
    (*RUN_LABELS, "budget"),
)  # fmt: skip
EXPORTER_INFO = Family("footprint_exporter_info", GAUGE, "The exporter.", ("version",))
EXPORTER_RUNS = Family("footprint_exporter_runs", GAUGE, "Runs that are exported.", ())
EXPORTER_LEFT_OUT = Family(
    "footprint_exporter_unreadable_runs", GAUGE, "Runs that go on, and whose journals cannot be read.", ()
)
EXPORTER_LOOK = Family("footprint_exporter_look_time_seconds", GAUGE, "When runs were last looked for, since 1970.", ())
OTHER = (
    INFO, READING, DEVICE_INFO, USED, EXPECTED, EXPORTER_INFO, EXPORTER_RUNS, EXPORTER_LEFT_OUT, EXPORTER_LOOK,
)  # fmt: skip
FAMILIES = (*(family for family, _ in DEVICE), *(family for family, _ in RUN), *OTHER)

Sample = tuple[Sequence[str], float | None]


def families(shown: Shown, *, has_exporter: bool = True) -> Iterator[Metric]:
    """Every family with samples in it, as prometheus-client writes them.

    Parameters
    ----------
    shown : the runs
    has_exporter : with what the exporter tells of itself
    """
    runs = shown.runs
    for device_family, of_device in DEVICE:
        yield from _filled(device_family, [(_device(r, d), of_device(d)) for r in runs for d in r.devices])
    for run_family, of_run in RUN:
        yield from _filled(run_family, [(_run(r), of_run(r)) for r in runs])
    yield from _filled(INFO, [((*_run(r), r.place, r.version), 1.0) for r in runs])
    yield from _filled(READING, [((*_run(r), h.name), h.reading_utc_s) for r in runs for h in r.hosts])
    told = [((r.id, d.host, d.id, d.name, d.scope), 1.0) for r in runs for d in r.devices]
    yield from _filled(DEVICE_INFO, told)
    yield from _filled(USED, [((*_run(r), b.name), b.used_ratio) for r in runs for b in r.budgets])
    yield from _filled(EXPECTED, [((*_run(r), b.name), b.forecast_ratio) for r in runs for b in r.budgets])
    if has_exporter:
        yield from _filled(EXPORTER_INFO, [((__version__,), 1.0)])
        yield from _filled(EXPORTER_RUNS, [((), float(len(runs)))])
        yield from _filled(EXPORTER_LEFT_OUT, [((), float(shown.left_out_count))])
        yield from _filled(EXPORTER_LOOK, [((), shown.looked_utc_s)])


def exposition(shown: Shown, accept: str = "", *, has_exporter: bool = True) -> tuple[bytes, str]:
    """The page that Prometheus reads, in the format that it accepts, and that format's name.

    Raises
    ------
    MissingExtra
        Without prometheus-client.
    """
    try:
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise MissingExtra("prometheus-client", "export", "exporting to Prometheus") from error
    encode, content_type = choose_encoder(accept)
    return encode(_Page(list(families(shown, has_exporter=has_exporter)))), content_type


class _Page:
    """Families as a registry that holds nothing else."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _filled(family: Family, samples: Sequence[Sample]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return
    made = (CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily)(
        family.name, family.help, labels=family.labels
    )
    for labels, value in known:
        made.add_metric(labels, value)
    yield made


def _run(run: RunNow) -> tuple[str, ...]:
    return (run.id, run.name, run.project)


def _device(run: RunNow, device: DeviceNow) -> tuple[str, ...]:
    return (*_run(run), device.host, device.component, device.id, device.origin)
