"""What carries accelerators: the equations by hand, the models against measured packages, memory and nodes."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footprint.accounting.node import MODULES, ONE_CHIP, SERVER, WORKSTATION, rest_of_node, shape_of
from footprint.catalog import open_catalog
from footprint.formulas import node
from footprint.values import Range

CATALOG = open_catalog()
SHARE = st.floats(0, 1)
IDLE, FULL, EXPONENT = (CATALOG.constant(f"cpu_{name}") for name in ("idle_ratio", "full_ratio", "load_exponent"))
PACKAGES = [
    (
        str(row["processor"]),
        float(row["load_share"] or 0),
        float(row["package_w"] or 0) / int(row["sockets_count"] or 1),
    )
    for row in CATALOG.rows("processor_power")
]
TDP_W = {str(row["id"]): float(row["tdp_w"] or 0) for row in CATALOG.rows("processors")}


def cpu_w(tdp_w: float, load_share: float) -> float:
    return float(node.cpu_power_w(tdp_w, load_share, IDLE.mid, FULL.mid, EXPONENT.mid))


# the equations


def test_a_processor_by_hand() -> None:
    assert node.cpu_power_w(200.0, 0.0, 0.1, 0.9, 1.4) == pytest.approx(20.0, rel=1e-12)
    assert node.cpu_power_w(200.0, 1.0, 0.1, 0.9, 1.4) == pytest.approx(180.0, rel=1e-12)
    # 2 x 0.25 - 0.25 ** 2 = 0.4375; 200 x (0.1 + 0.8 x 0.4375) = 90
    assert node.cpu_power_w(200.0, 0.25, 0.1, 0.9, 2.0) == pytest.approx(90.0, rel=1e-12)
    # an exponent of 1 is the straight line
    assert node.cpu_power_w(200.0, 0.25, 0.1, 0.9, 1.0) == pytest.approx(60.0, rel=1e-12)


@given(SHARE, SHARE, st.floats(1, 2))
def test_a_busier_processor_never_draws_less(one: float, other: float, exponent: float) -> None:
    low, high = sorted((one, other))
    first, second = (node.cpu_power_w(300.0, load, 0.1, 1.0, exponent) for load in (low, high))
    assert first <= second + 1e-9
    assert first >= 30.0 - 1e-9
    assert second <= 300.0 + 1e-9


def test_the_first_busy_threads_cost_more_than_the_last_ones() -> None:
    assert cpu_w(100.0, 0.1) - cpu_w(100.0, 0.0) > 2 * (cpu_w(100.0, 1.0) - cpu_w(100.0, 0.9))


def test_memory_by_hand_and_its_end() -> None:
    assert node.ram_power_w(100.0, 0.3, 192.0) == pytest.approx(30.0, rel=1e-12)
    assert node.ram_power_w(2048.0, 0.3, 192.0) == pytest.approx(192.0, rel=1e-12)
    assert node.ram_power_w(0.0, 0.3, 192.0) == 0.0


def test_a_virtual_machine_has_its_threads_part_of_the_sockets() -> None:
    assert node.socket_share(4, 1, 128) == 1 / 32
    assert node.socket_share(208, 2, 112) == pytest.approx(0.92857, rel=1e-4)
    assert node.socket_share(224, 2, 112) == 1.0


def test_the_rest_of_a_node_by_hand() -> None:
    assert node.rest_power_w(0.0, 8, 700.0, 0.25) == 1400.0
    assert node.rest_power_w(90.0, 4, 300.0, 0.1) == pytest.approx(210.0, rel=1e-12)
    assert node.rest_power_w(90.0, 0, 0.0, 0.1) == 90.0


def test_the_supplys_loss_is_on_everything_that_passes_it() -> None:
    # 8 kWh of components and 2 kW for an hour are 10 kWh; at a loss of 0.2 the plug gives 12.5
    assert node.rest_energy_kwh(8.0, 2000.0, 1.0, 0.2) == pytest.approx(4.5, rel=1e-12)
    assert node.rest_energy_kwh(8.0, 2000.0, 1.0, 0.0) == pytest.approx(2.0, rel=1e-12)
    assert node.rest_energy_kwh(0.0, 0.0, 5.0, 0.1) == 0.0


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0, 1e4), st.floats(0, 0.5))
def test_components_and_rest_are_what_the_plug_gives(kwh: float, rest_w: float, hours: float, loss: float) -> None:
    plug = kwh + node.rest_energy_kwh(kwh, rest_w, hours, loss)
    assert plug * (1 - loss) == pytest.approx(kwh + rest_w * hours / 1000, rel=1e-9, abs=1e-9)


def test_arrays_go_through_as_numbers_do() -> None:
    loads = np.array([0.0, 0.2, 1.0])
    together = node.cpu_power_w(350.0, loads, IDLE.mid, FULL.mid, EXPONENT.mid)
    assert together == pytest.approx([cpu_w(350.0, load) for load in loads], rel=1e-12)
    sizes = np.array([64.0, 2048.0])
    assert node.ram_power_w(sizes, 0.3, 192.0) == pytest.approx([19.2, 192.0], rel=1e-12)
    rest = node.rest_energy_kwh(np.array([1.0, 2.0]), 100.0, 10.0, 0.5)
    assert rest == pytest.approx([3.0, 4.0], rel=1e-12)


# the models against what was measured


def test_loaded_packages_lie_inside_the_models_stated_error() -> None:
    stated = CATALOG.constant("cpu_model_ratio")
    ratios = [watts / cpu_w(TDP_W[name], load) for name, load, watts in PACKAGES if load]
    assert len(ratios) == 15
    assert stated.low < min(ratios)
    assert max(ratios) < stated.high
    assert 0.95 < statistics.geometric_mean(ratios) < 1.05


def test_packages_at_rest_lie_inside_the_ratios_of_idle_to_rating() -> None:
    ratios = [watts / TDP_W[name] for name, load, watts in PACKAGES if not load]
    assert IDLE.low <= min(ratios)
    assert max(ratios) < IDLE.high


def test_full_packages_span_the_ratios_of_full_to_rating() -> None:
    ratios = [watts / TDP_W[name] for name, load, watts in PACKAGES if load == 1]
    assert FULL.low == pytest.approx(min(ratios), abs=0.005)
    assert FULL.high == pytest.approx(max(ratios), abs=0.005)
    assert FULL.mid == pytest.approx(statistics.mean(ratios), abs=0.015)


def test_the_cube_of_the_load_would_be_three_times_too_low_at_the_loads_of_training() -> None:
    cubes = [watts / (TDP_W[name] * (0.1 + 0.9 * load**3)) for name, load, watts in PACKAGES if load in (0.1, 0.5)]
    assert statistics.geometric_mean(cubes) == pytest.approx(3.2, abs=0.2)


def test_memory_at_the_loads_of_training_lies_inside_the_watts_a_gb() -> None:
    a_gb = CATALOG.constant("ram_w_per_gb")
    rows = CATALOG.rows("processor_power")
    light = [float(r["dram_w"] or 0) / float(r["memory_gb"] or 1) for r in rows if float(r["load_share"] or 0) == 0.1]
    idle = [float(r["dram_w"] or 0) / float(r["memory_gb"] or 1) for r in rows if not r["load_share"]]
    assert a_gb.low < min(idle)
    assert max(light) < a_gb.high
    assert a_gb.mid == pytest.approx(statistics.mean(light), abs=0.03)


def plug_w(accelerator_w: float, cpu_load: float, end: str) -> float:
    """8x H100 with two sockets of 350 W and 2 TB at the plug, the rest at one end of its range."""
    rest_w, loss, _ = rest_of_node(CATALOG.accelerator("h100-sxm"), 8, CATALOG)
    a_gb, most = CATALOG.constant("ram_w_per_gb"), CATALOG.constant("ram_most_w")
    parts_w = 8 * accelerator_w + cpu_w(700.0, cpu_load) + node.ram_power_w(2048.0, a_gb.mid, most.mid)
    parts_kwh = parts_w / 1000
    rest = node.rest_energy_kwh(parts_kwh, getattr(rest_w, end), 1.0, getattr(loss, end))
    return float(parts_kwh + rest) * 1000


@pytest.mark.parametrize("measured_w", [6850, 7106, 7159])
def test_h100_nodes_in_training_draw_what_the_model_says(measured_w: float) -> None:
    """MLPerf Training v4.0 and v4.1, whole runs; devices alone draw 607 to 649 W in training."""
    assert plug_w(607.0, 0.05, "low") < measured_w < plug_w(649.0, 0.05, "high")
    assert plug_w(628.0, 0.05, "mid") == pytest.approx(measured_w, rel=0.04)


def test_the_active_phase_of_a_run_lies_inside_too() -> None:
    assert plug_w(649.0, 0.05, "mid") < 7784 < plug_w(690.0, 0.1, "high")


def test_an_idle_h100_node_draws_what_the_model_says() -> None:
    """Dell XE9680, MLPerf Training v4.1: 2,502 W."""
    assert plug_w(68.0, 0.0, "low") < 2502 < plug_w(80.0, 0.0, "high")
    assert plug_w(74.0, 0.0, "mid") == pytest.approx(2502, rel=0.1)


def test_a_supplys_loss_is_that_of_the_logs_of_both_its_sides() -> None:
    rows = {
        str(r["workload"]) + str(r["system"]): (float(r["mean_w"] or 0), str(r["measurement"]))
        for r in reversed(CATALOG.rows("power"))
        if r["measurement"] and "PSU AC input (BMC" in str(r["measurement"])
    }
    outputs = {
        str(r["workload"]) + str(r["system"]): float(r["mean_w"] or 0)
        for r in CATALOG.rows("power")
        if r["measurement"] and "PSU DC output" in str(r["measurement"])
    }
    losses = [1 - outputs[key] / rows[key][0] for key in outputs if key in rows]
    stated = CATALOG.constant("psu_loss_module_share")
    assert len(losses) == 7
    assert stated.low == pytest.approx(min(losses), abs=0.001)
    assert max(losses) < stated.mid < stated.high


# kinds of hosts


@pytest.mark.parametrize(
    ("accelerator", "shape"),
    [
        ("h100-sxm", MODULES), ("mi300x", MODULES), ("gb200", MODULES), ("gh200-96gb", MODULES),
        ("h100-pcie-80gb", SERVER), ("l40s", SERVER), ("t4", SERVER), ("rtx-pro-6000-server", SERVER),
        ("rtx-4090", WORKSTATION), ("rtx-pro-6000-ws", WORKSTATION), ("rx-7900-xtx", WORKSTATION),
        ("gb10", ONE_CHIP), ("apple-m4-max", ONE_CHIP),
    ],
)  # fmt: skip
def test_the_kind_of_host_follows_from_the_accelerator(accelerator: str, shape: object) -> None:
    assert shape_of(CATALOG.accelerator(accelerator)) is shape


def test_every_accelerator_has_a_rest_and_a_loss_that_can_be() -> None:
    for accelerator in CATALOG.accelerators():
        rest_w, loss, ledger = rest_of_node(accelerator, accelerator.per_node, CATALOG)
        assert 0 < rest_w.mid < 0.5 * accelerator.per_node * accelerator.tdp_w + 200, accelerator.id
        assert 0 < loss.low < loss.high < 0.2
        assert [line.field for line in ledger] == ["rest_w", "psu_loss_share"]


def test_a_host_without_accelerators_has_the_rest_of_a_server() -> None:
    rest_w, loss, ledger = rest_of_node(None, 0, CATALOG)
    assert rest_w == CATALOG.constant("rest_server_w")
    assert loss == CATALOG.constant("psu_loss_server_share")
    assert "no accelerator" in ledger[0].note


def test_of_a_shared_node_the_rest_goes_by_my_part() -> None:
    h100, l40s = CATALOG.accelerator("h100-sxm"), CATALOG.accelerator("l40s")
    whole, part = (rest_of_node(h100, count, CATALOG)[0] for count in (8, 2))
    assert part.mid == pytest.approx(whole.mid / 4, rel=1e-12)
    all_w = rest_of_node(l40s, 1, CATALOG)[0]
    mine_w, _, ledger = rest_of_node(l40s, 1, CATALOG, host_share=0.25)
    host_w = CATALOG.constant("rest_server_w")
    assert all_w.mid - mine_w.mid == pytest.approx(0.75 * host_w.mid, rel=1e-12)
    assert "0.25 of the host" in ledger[0].note


def test_the_ledger_says_what_it_rests_on() -> None:
    rest_w, loss, ledger = rest_of_node(CATALOG.accelerator("h100-sxm"), 8, CATALOG)
    assert rest_w == Range(672.0, 1400.0, 2016.0)
    assert [(line.value, line.origin) for line in ledger] == [(rest_w, "modelled"), (loss, "modelled")]
    assert "8 x h100-sxm5-80gb" in ledger[0].note
    assert "rest_module_ratio: power.csv" in ledger[0].source
