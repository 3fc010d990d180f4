"""What was not measured of a past job: devices by their use or by their allocation alone, processors and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from footprint.catalog import Catalog
from footprint.fleet.devices import Device
from footprint.fleet.gathering import Batch, Interval
from footprint.fleet.meters import RATING, SACCT, accelerator_of, modelled_meter
from footprint.fleet.prometheus import Prometheus, Series, in_order, milliseconds
from footprint.fleet.queries import selector
from footprint.units import J_PER_KWH
from footprint.values import Accelerator, Meter, MeterUsage, Range

__all__ = ["allocated", "allocated_w", "by_use", "hosts_rest", "used_w"]


def by_use(batch: Batch, job: Interval, server: Prometheus, catalog: Catalog) -> Iterator[MeterUsage]:
    """Devices with neither counter nor gauge: from their mean utilization, idle power and TDP."""
    family = batch.devices[0].family
    if not family.utilization:
        return
    span = milliseconds(job.duration_s)
    metric = selector(family.utilization, batch.matcher)
    used = server.instant(f"max by ({family.uuid}) (avg_over_time({metric}[{span}]))", job.ended_s)
    shares = {one.labels.get(family.uuid, ""): one.samples[-1][1] / family.per_share for one in used if one.samples}
    for device in batch.devices:
        known = accelerator_of(device.model, catalog)
        if device.uuid in shares and known is not None and known.tdp_w:
            yield _used(device, known, min(max(shares[device.uuid], 0.0), 1.0), job, catalog)


def _used(device: Device, known: Accelerator, share: float, job: Interval, catalog: Catalog) -> MeterUsage:
    meter = modelled_meter(device, f"{device.family.name}, {device.family.utilization}", Range.exactly(1.0), catalog)
    return _drawn(meter, device.host, used_w(known, share, catalog), job.duration_s)


def used_w(known: Accelerator, share: float, catalog: Catalog) -> Range:
    """Watts at a utilization: idle, and of what is between idle and the rating the share that such use draws."""
    ratio, idle_w = catalog.constant("utilization_load_ratio"), known.idle_w or 0.0
    low_w, mid_w, high_w = (idle_w + (known.tdp_w - idle_w) * share * r for r in (ratio.low, ratio.mid, ratio.high))
    return Range(low_w, mid_w, high_w)


def allocated_w(known: Accelerator, catalog: Catalog) -> Range:
    """Watts of a device of which nothing is known but that somebody had it."""
    share = catalog.constant("allocation_load_share")
    return Range(known.tdp_w * share.low, known.tdp_w * share.mid, known.tdp_w * share.high)


def allocated(
    hosts: Sequence[str],
    count_of: Callable[[str], int],
    model: str,
    job: Interval,
    catalog: Catalog,
    utilization: float | None = None,
    share: float = 1.0,
) -> Iterator[MeterUsage]:
    """Devices, or a share of each, of which is known that a job had them, or how busy they were in the mean."""
    known = accelerator_of(model, catalog)
    if known is None or not known.tdp_w:
        known = catalog.accelerator(model)  # says what is wrong with the name
    watts = allocated_w(known, catalog) if utilization is None else used_w(known, utilization, catalog)
    sensor, origin, source = RATING, "default", "hours allocated; constants.csv, allocation_load_share"
    if utilization is not None:
        sensor, origin = SACCT, "modelled"
        source = "utilization by SLURM's accounting; constants.csv, utilization_load_ratio"
    own = Range(watts.low * share, watts.mid * share, watts.high * share)
    for host in hosts:
        for place in range(count_of(host)):
            meter = Meter(
                f"gpu-{place}", "accelerator", known.id, sensor, "gpu", origin, source=source, max_w=known.tdp_w,
                share=share,
            )  # fmt: skip
            yield _drawn(meter, host, own, job.duration_s)


def hosts_rest(
    meters: Iterable[MeterUsage], job: Interval, catalog: Catalog, per_node: int = 0
) -> Iterator[MeterUsage]:
    """Processors and memory beside the accelerators, a line a host: by the rating of what the job had.

    A host carries `per_node` of them, by the tables where that is 0.
    """
    ratio = catalog.constant("processor_memory_ratio")
    by_host: dict[str, list[MeterUsage]] = {}
    for one in meters:
        by_host.setdefault(one.host, []).append(one)
    for host, own in by_host.items():
        known = accelerator_of(own[0].meter.name, catalog)
        rated_w = sum((one.meter.max_w or one.mean_w or 0.0) * one.meter.share for one in own)
        held = sum(one.meter.share for one in own)
        each = per_node or (known.per_node if known is not None else 0)
        share = min(held / each, 1.0) if each else 1.0
        meter = Meter(
            "cpu", "cpu", "processors and memory, not metered", RATING, "package", "default",
            source="constants.csv, processor_memory_ratio", share=share,
        )  # fmt: skip
        watts = Range(rated_w * ratio.low, rated_w * ratio.mid, rated_w * ratio.high)
        yield _drawn(meter, host, watts, job.duration_s)


def _drawn(meter: Meter, host: str, watts: Range, duration_s: float) -> MeterUsage:
    kwh = Range(*(w * duration_s / J_PER_KWH for w in (watts.low, watts.mid, watts.high)))
    return MeterUsage(host, meter, kwh, duration_s, 0.0, mean_w=watts.mid)


def tensor_work(
    batches: Sequence[Batch], job: Interval, step_s: float, server: Prometheus
) -> tuple[dict[str, float], float]:
    """By device, the share of cycles in which its tensor pipe was busy, times its clock; and the fastest clock seen.

    Sums are the server's: both gauges are of one scrape, so their product is exact where they are sampled.
    """
    activity: dict[str, float] = {}
    fastest = 0.0
    calls = [partial(_tensor_of, batch, job, step_s, server) for batch in batches if batch.devices[0].family.tensor]
    answers: Iterable[tuple[list[Series], list[Series], str]] = in_order(calls)
    for products, clocks, uuid in answers:
        for one in products:
            if one.samples:
                activity[one.labels.get(uuid, "")] = one.samples[-1][1]
        fastest = max((value for one in clocks for _, value in one.samples), default=fastest)
    return activity, fastest


def _tensor_of(
    batch: Batch, job: Interval, step_s: float, server: Prometheus
) -> tuple[list[Series], list[Series], str]:
    family = batch.devices[0].family
    whole = replace(batch, devices=[d for d in batch.devices if not d.instances])
    if not whole.devices:
        return [], [], family.uuid
    span, step = milliseconds(job.duration_s), milliseconds(step_s)
    tensor, clock = (selector(name, whole.matcher) for name in (family.tensor, family.clock))
    by = f"by ({family.uuid})"
    product = f"(max {by} ({tensor}) * on ({family.uuid}) max {by} ({clock}))[{span}:{step}]"
    return (
        server.instant(f"avg_over_time({product})", job.ended_s),
        server.instant(f"max(max_over_time({clock}[{span}]))", job.ended_s),
        family.uuid,
    )
