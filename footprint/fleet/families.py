"""What exporters call things: the series of accelerators and the labels on them, a row a family of exporters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from footprint.units import MICROJOULES_PER_J, MILLIJOULES_PER_J, MILLIWATTS_PER_W, PERCENT_PER_SHARE

__all__ = ["FAMILIES", "HOST_LABELS", "INSTANCE", "JOB_LABELS", "PROFILE", "TARGET_LABELS", "Family", "pod_labels"]


@dataclass(frozen=True, slots=True)
class Family:
    """One exporter's names. Power and counter are of the whole device, whatever instance of it a series is about."""

    name: str
    uuid: str  # label that tells devices apart
    index: str  # label with the device's place on its host
    model: str  # label
    counter: str
    per_j: float  # of the counter's unit
    powers: tuple[str, ...] = ()  # gauges of power, the best first
    per_w: float = 1.0
    utilization: str = ""
    per_share: float = PERCENT_PER_SHARE
    tensor: str = ""  # share of cycles in which the tensor pipe is busy
    clock: str = ""  # of the multiprocessors


FAMILIES = (
    Family(
        "dcgm-exporter", "UUID", "gpu", "modelName", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", MILLIJOULES_PER_J,
        ("DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_POWER_USAGE_INSTANT"), utilization="DCGM_FI_DEV_GPU_UTIL",
        tensor="DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", clock="DCGM_FI_DEV_SM_CLOCK",
    ),
    Family(
        "dcgm-exporter 1", "uuid", "gpu", "modelName", "dcgm_total_energy_consumption", MILLIJOULES_PER_J,
        ("dcgm_power_usage",), utilization="dcgm_gpu_utilization", clock="dcgm_sm_clock",
    ),
    Family(
        "device-metrics-exporter", "serial_number", "gpu_id", "card_model", "gpu_energy_consumed", MICROJOULES_PER_J,
        ("gpu_package_power", "gpu_average_package_power", "gpu_power_usage"), utilization="gpu_gfx_activity",
    ),
    Family(
        "device-metrics-exporter, amd_", "serial_number", "gpu_id", "card_model", "amd_gpu_energy_consumed",
        MICROJOULES_PER_J, ("amd_gpu_package_power", "amd_gpu_average_package_power", "amd_gpu_power_usage"),
        utilization="amd_gpu_gfx_activity",
    ),
    Family("kepler", "gpu_uuid", "gpu", "gpu_name", "kepler_node_gpu_joules_total", 1.0),
    Family(
        "nvidia_gpu_exporter of jobstats", "uuid", "minor_number", "name", "", 1.0,
        ("nvidia_gpu_power_usage_milliwatts",), MILLIWATTS_PER_W, utilization="nvidia_gpu_duty_cycle",
    ),
)  # fmt: skip

HOST_LABELS = ("Hostname", "hostname", "node_name", "kubernetes_node", "nodename", "node", "instance")
"""Where a series may say its host, the surest first."""

JOB_LABELS = ("hpc_job", "job_id", "slurmjobid", "jobid")
"""Where a series may say a scheduler's job."""

TARGET_LABELS = ("job", "instance", "cluster", "replica", "prometheus", "prometheus_replica", "__replica__")
"""Who scraped what: series that differ in these alone are two scrapes of one exporter."""

INSTANCE, PROFILE = "GPU_I_ID", "GPU_I_PROFILE"

_POD_FORMS = ("{}", "exported_{}", "{}_name")
"""The workload's; the exporter's own is told from it by its value."""


def pod_labels(words: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """Pod, namespace and container in each form that exporters and scrapers write them in."""
    return tuple({form.format(name): value for name, value in words.items() if value} for form in _POD_FORMS)
