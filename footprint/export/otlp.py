"""Live runs to an OpenTelemetry collector: OTLP over HTTP, devices by the conventions for hardware.

Each host's devices stand under a resource of their own with `host.name`. Points carry the moment of the reading, so a
backend has the joules of that moment exactly.

References
----------
.. [1] OpenTelemetry semantic conventions 1.44, hardware: `hw.energy`, `hw.power`, `hw.host.energy`, `hw.host.power`,
   `hw.gpu.utilization`, `hw.id`, `hw.type`, `hw.name`.
"""

from __future__ import annotations

import gzip
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from footprint.errors import MissingExtra
from footprint.export.runs import Shown
from footprint.export.sending import send
from footprint.export.snapshot import DeviceNow, HostNow, RunNow
from footprint.fleet.access import Access
from footprint.units import S_PER_NS
from footprint.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, NumberDataPoint, ResourceMetrics

__all__ = ["HARDWARE", "Otlp", "payload"]

PATH = "/v1/metrics"
KIND = "application/x-protobuf"
HARDWARE = {"accelerator": "gpu", "cpu": "cpu", "ram": "memory", "node": "enclosure"}
"""The conventions' word for a component; the rest of a node is what its enclosure holds beside these."""

_SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
_WHOLE_HOST = "node"
"""A meter of this scope reads everything: its energy must not be added to that of parts."""

RUN_METRICS: tuple[tuple[str, str, bool, str, Callable[[RunNow], float | None]], ...] = (
    ("footprint.facility.energy", "J", True, "Energy of the facility", lambda r: r.facility_energy_j),
    (
        "footprint.operational_location.co2e", "g", True, "CO2e of the facility's energy, by its grid",
        lambda r: r.operational_location_co2e_g,
    ),
    ("footprint.electricity.cost", "{USD}", True, "Cost of the facility's energy", lambda r: r.electricity_usd),
    ("footprint.tokens", "{token}", True, "Tokens trained on", lambda r: r.tokens),
    ("footprint.steps", "{step}", True, "Training steps done", lambda r: r.steps_count),
    ("footprint.coverage", "1", False, "Measured share of the IT energy", lambda r: r.coverage_ratio),
    ("footprint.progress", "1", False, "Share of the run that is done", lambda r: r.done_ratio),
    (
        "footprint.forecast.facility.energy", "J", False, "Energy of the facility at the run's end",
        lambda r: r.forecast_facility_energy_j,
    ),
)  # fmt: skip


class Otlp:
    """Sends to a collector each interval.

    Parameters
    ----------
    access : address, below which /v1/metrics is, and headers

    Raises
    ------
    MissingExtra
        Without OpenTelemetry's SDK.
    """

    name = "otlp"

    def __init__(self, access: Access) -> None:
        payload(Shown((), 0.0, 0))
        self._access = access
        self._path = "" if access.address.endswith(PATH) else PATH

    def send(self, shown: Shown) -> None:
        if shown.runs:
            send(self._access, self._path, "POST", gzip.compress(payload(shown)), KIND, encoding="gzip")

    def close(self) -> None:
        """What was sent stays: points carry their moment."""


def payload(shown: Shown) -> bytes:
    """An export request.

    Raises
    ------
    MissingExtra
        Without OpenTelemetry's SDK.
    """
    try:
        from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
        from opentelemetry.sdk.metrics.export import MetricsData
    except ImportError as error:
        package = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-common"
        raise MissingExtra(package, "otlp", "exporting by OTLP") from error
    text: bytes = encode_metrics(MetricsData(list(_resources(shown)))).SerializeToString()
    return text


def _resources(shown: Shown) -> Iterator[ResourceMetrics]:
    for host in dict.fromkeys(host.name for run in shown.runs for host in run.hosts):
        yield _resource({"host.name": host}, _hardware(shown.runs, host))
    if shown.runs:
        yield _resource({"service.instance.id": platform.node() or "localhost"}, _of_runs(shown.runs))


def _resource(attributes: Mapping[str, str], metrics: Iterable[Metric]) -> ResourceMetrics:
    from opentelemetry.sdk.metrics.export import ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    told = {"service.name": "footprint", "service.version": __version__, **attributes}
    scope = ScopeMetrics(InstrumentationScope("footprint", __version__), list(metrics), _SCHEMA)
    return ResourceMetrics(Resource(told), [scope], _SCHEMA)


def _hardware(runs: Iterable[RunNow], host: str) -> Iterator[Metric]:
    own = [(r, h, d) for r in runs for h in r.hosts if h.name == host for d in r.devices if d.host == host]
    whole = [row for row in own if _is_whole(row[2])]
    parts = [row for row in own if not _is_whole(row[2])]
    for rows, prefix, of in ((parts, "hw", "the component"), (whole, "hw.host", "the entire physical host")):
        energy = [_point(r, h, d.energy_j, _attributes(r, d)) for r, h, d in rows]
        power = [_point(r, h, d.power_w, _attributes(r, d)) for r, h, d in rows if d.power_w is not None]
        yield from _metric(f"{prefix}.energy", "J", f"Energy consumed by {of}", energy, is_sum=True)
        yield from _metric(f"{prefix}.power", "W", f"Power consumed by {of}", power)
    busy = [
        _point(r, h, d.utilization, {**_attributes(r, d), "hw.gpu.task": "general"})
        for r, h, d in parts
        if d.utilization is not None and d.component == "accelerator"
    ]
    yield from _metric("hw.gpu.utilization", "1", "Fraction of time spent in a specific task", busy)


def _of_runs(runs: Iterable[RunNow]) -> Iterator[Metric]:
    for name, unit, is_sum, description, value in RUN_METRICS:
        points = [
            _point(run, max(run.hosts, key=lambda h: h.reading_utc_s), number, _run(run))
            for run in runs
            if run.hosts and (number := value(run)) is not None
        ]
        yield from _metric(name, unit, description, points, is_sum=is_sum)


def _metric(
    name: str, unit: str, description: str, points: list[NumberDataPoint], *, is_sum: bool = False
) -> Iterator[Metric]:
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Metric, Sum

    if points:
        data = Sum(points, AggregationTemporality.CUMULATIVE, True) if is_sum else Gauge(points)
        yield Metric(name, description, unit, data)


def _point(run: RunNow, host: HostNow, value: float | None, attributes: Mapping[str, str]) -> NumberDataPoint:
    from opentelemetry.sdk.metrics.export import NumberDataPoint

    assert value is not None
    return NumberDataPoint(attributes, _ns(run.started_utc_s), _ns(host.reading_utc_s), float(value))


def _ns(utc_s: float) -> int:
    return round(utc_s / S_PER_NS)


def _is_whole(device: DeviceNow) -> bool:
    return device.scope == _WHOLE_HOST and device.origin != "assumed"


def _attributes(run: RunNow, device: DeviceNow) -> dict[str, str]:
    kind = {} if _is_whole(device) else {"hw.type": HARDWARE.get(device.component, device.component)}
    own = {"hw.id": device.id, "hw.name": device.name, "footprint.origin": device.origin}
    return {**own, **kind, **_run(run)}


def _run(run: RunNow) -> dict[str, str]:
    return {"footprint.run.id": run.id, "footprint.run.name": run.name, "footprint.project": run.project}
