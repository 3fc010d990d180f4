"""What each generation of GPU shows of itself: sensor windows and periods, what answers, and name-plate figures."""

from __future__ import annotations

Settings = dict[str, float | int | str | bool]

DEFAULTS: Settings = {
    "name": "NVIDIA H100 80GB HBM3",
    "serial": "",
    "pci_domain": 0,
    "pci_bus": 1,
    "pci_device": 0,
    "pci_device_id": 0x233010DE,
    "minor": 0,
    "architecture": 9,
    "brand": 14,
    "clock_mhz": 1410,
    "max_clock_mhz": 1980,
    "performance_state": 0,
    "capability_major": 9,
    "capability_minor": 0,
    "memory_mb": 81559,
    "memory_used_mb": 1024,
    "temperature_c": 30,
    "temperature_c_per_w": 0.05,
    "limit_w": 700,
    "enforced_limit_w": 700,
    "default_limit_w": 700,
    "least_limit_w": 200,
    "most_limit_w": 700,
    "idle_w": 68,
    "busy_w": 700,
    "utilization": -1,  # a share; -1: where the power stands between idle_w and busy_w
    "memory_utilization": -1,
    "usage": True,  # nvmlDeviceGetPowerUsage; its window, period, ... : SENSOR_PARTS
    "average": True,  # field 185
    "instant": True,  # field 186
    "samples": True,  # nvmlDeviceGetSamples
    "load": True,  # utilisation, of the GPU and of processes
    "usage_scope": 0,  # 0 GPU, 1 module, 2 memory, 3 base
    "samples_depth": 120,
    "stamp_at_call": False,  # timestamps of fields: of the call, not of the update
    "scope_gpu": True,
    "scope_module": False,
    "scope_memory": False,
    "scope_base": False,
    "module_gain": 1,  # of the GPU's power
    "module_extra_w": 0,
    "memory_gain": 0.15,
    "memory_extra_w": 0,
    "base_gain": 1,
    "base_extra_w": 0,
    "counter": True,  # nvmlDeviceGetTotalEnergyConsumption; counter_window_ms: it sees that much of each period alone
    "total_energy_field": True,  # field 83
    "energy_field": True,  # field 191
    "counter_scope": 0,
    "counter_start_mj": 0,
    "counter_stuck_at_s": float("inf"),
    "counter_wrap_mj": 0,
    "lost_at_s": float("inf"),  # Emulator.lose
    "back_at_s": float("inf"),
    "c2c": False,  # a Grace Hopper's link
    "mig": False,
    "mig_error": 3,  # what an instance answers where only the parent knows
    "processes": "",  # pid:memory_mb:sm_share:gpu_instance:compute_instance,... ; pid "self": whoever asks
    "graphics_processes": "",
    "mig_devices": "",  # Emulator.mig writes them
    "reset_at_s": "",  # Emulator.reset_counter
}
SENSORS = ("usage", "average", "instant", "samples", "load", "counter")
SENSOR_PARTS = ("window_ms", "period_ms", "phase_ms", "jitter_ms", "gain", "offset_w", "noise_w")
for _sensor in SENSORS:
    for _part in SENSOR_PARTS:
        DEFAULTS[f"{_sensor}_{_part}"] = 1 if _part == "gain" else 0
DEFAULTS |= {"loaded_at_s": 0.0, "uuid": ""}  # the driver: from when the counter counts


def _sensor(name: str, window_ms: float, period_ms: float) -> Settings:
    return {name: True, f"{name}_window_ms": window_ms, f"{name}_period_ms": period_ms}


def _limits(idle_w: float, limit_w: float, least_w: float) -> Settings:
    every = dict.fromkeys(("limit_w", "enforced_limit_w", "default_limit_w", "most_limit_w", "busy_w"), limit_w)
    return {**every, "idle_w": idle_w, "least_limit_w": least_w}


def _card(name: str, architecture: int, capability: str, memory_mb: int) -> Settings:
    major, minor = capability.split(".")
    return {
        "name": name,
        "architecture": architecture,
        "capability_major": int(major),
        "capability_minor": int(minor),
        "memory_mb": memory_mb,
    }


COMMON: Settings = {
    **_sensor("counter", 0, 100),
    **_sensor("samples", 20, 20),
    **_sensor("load", 166, 166),
    "total_energy_field": True,
    "energy_field": True,
}
SECOND_AVERAGE: Settings = {**_sensor("usage", 1000, 100), **_sensor("average", 1000, 100)}
HOPPER: Settings = {**COMMON, **SECOND_AVERAGE, **_sensor("instant", 25, 100)}
ADA: Settings = {**COMMON, **SECOND_AVERAGE, **_sensor("instant", 100, 100)}
NO_FIELDS: Settings = {"average": False, "instant": False, "energy_field": False, "total_energy_field": False}
NO_COUNTER: Settings = {"counter": False, "energy_field": False, "total_energy_field": False}
PRESETS: dict[str, Settings] = {
    "h100": {**HOPPER, **_card("NVIDIA H100 80GB HBM3", 9, "9.0", 81559), **_limits(68, 700, 200)},
    "h200": {**HOPPER, **_card("NVIDIA H200", 9, "9.0", 143771), **_limits(74, 700, 200)},
    "b200": {**HOPPER, **_card("NVIDIA B200", 10, "10.0", 183359), **_limits(140, 1000, 200)},
    "gh200": {
        **HOPPER,
        **_card("NVIDIA GH200 480GB", 9, "9.0", 97871),
        **_limits(75, 900, 100),
        "scope_module": True,
        "scope_memory": True,
        "module_extra_w": 120,
        "c2c": True,
    },
    "a100": {
        **COMMON,
        **_card("NVIDIA A100-SXM4-80GB", 7, "8.0", 81920),
        **_limits(60, 400, 100),
        **_sensor("usage", 25, 100),
        **_sensor("instant", 25, 100),
        "average": False,
    },
    "rtx4090": {**ADA, **_card("NVIDIA GeForce RTX 4090", 8, "8.9", 24564), **_limits(20, 450, 150)},
    "l4": {**ADA, **_card("NVIDIA L4", 8, "8.9", 23034), **_limits(13, 72, 40)},
    "a10g": {**ADA, **_card("NVIDIA A10G", 7, "8.6", 23028), **_limits(10, 300, 100)},
    "t4": {
        **COMMON,
        **_card("Tesla T4", 6, "7.5", 15360),
        **_limits(9, 70, 60),
        **_sensor("usage", 100, 100),
        **_sensor("instant", 100, 100),
        "average": False,
    },
    "v100": {
        **COMMON,
        **NO_FIELDS,
        **_card("Tesla V100-SXM2-32GB", 5, "7.0", 32768),
        **_limits(40, 300, 150),
        **_sensor("usage", 10, 20),
    },
    "p100": {
        **COMMON,
        **NO_FIELDS,
        **NO_COUNTER,
        **_card("Tesla P100-SXM2-16GB", 4, "6.0", 16280),
        **_limits(30, 300, 150),
        **_sensor("usage", 10, 20),
    },
    "vgpu": {
        **COMMON,
        **NO_FIELDS,
        **NO_COUNTER,
        **_card("GRID A100-20C", 7, "8.0", 20480),
        **_limits(60, 400, 100),
        "usage": False,
        "samples": False,
    },
}
