"""Every formula against its own docstring, and hand-worked hours, energy, carbon, water and money."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from footprint import units
from footprint.formulas import compute, cost, energy, impact, memory

MODULES: tuple[ModuleType, ...] = (compute, cost, energy, impact, memory)
Formula = Callable[..., Any]


def written_in(module: ModuleType) -> list[Formula]:
    """The public functions of a module, in the order of the file."""
    return [
        function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    ]


FORMULAS: list[Formula] = [function for module in MODULES for function in written_in(module)]
LAW = pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)


def doc(formula: Formula) -> str:
    """The docstring without its indentation, which Python 3.13 already takes away."""
    return inspect.getdoc(formula) or ""


def equation(formula: Formula) -> str:
    lines = re.findall(rf"^{formula.__name__} = (.+)$", doc(formula), re.MULTILINE)
    assert len(lines) == 1, f"{formula.__name__} needs exactly one equation line"
    return str(lines[0])


def drawn(formula: Formula, size: int | None = None) -> dict[str, Any]:
    """Numbers for every parameter: shares below one, anything else up to nine."""
    generator = np.random.default_rng(7)
    return {
        name: generator.uniform(0.2, 0.9, size) if name.endswith("_share") else generator.uniform(0.5, 9.0, size)
        for name in inspect.signature(formula).parameters
    }


def test_there_is_a_formula_in_every_module_and_no_name_twice() -> None:
    assert all(written_in(module) for module in MODULES)
    assert len({formula.__name__ for formula in FORMULAS}) == len(FORMULAS)


@pytest.mark.parametrize("module", [m for m in MODULES if hasattr(m, "__all__")], ids=lambda m: m.__name__)
def test_every_public_function_is_listed(module: ModuleType) -> None:
    assert {f.__name__ for f in written_in(module)} == set(module.__all__)


@LAW
def test_docstring_equation_is_what_the_function_computes(formula: Formula) -> None:
    inputs = drawn(formula)
    value = eval(equation(formula), {"__builtins__": {}}, vars(units) | inputs)
    assert formula(**inputs) == pytest.approx(value, rel=1e-12)


@LAW
def test_equation_uses_every_parameter_and_nothing_else(formula: Formula) -> None:
    names = {node.id for node in ast.walk(ast.parse(equation(formula), mode="eval")) if isinstance(node, ast.Name)}
    assert names - set(vars(units)) == set(inspect.signature(formula).parameters)


@LAW
def test_arrays_give_what_scalars_give(formula: Formula) -> None:
    arrays = drawn(formula, 5)
    together = formula(**arrays)
    one_by_one = [formula(**{name: float(a[i]) for name, a in arrays.items()}) for i in range(5)]
    assert isinstance(together, np.ndarray)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-14)


@LAW
def test_a_formula_leaves_its_inputs_alone(formula: Formula) -> None:
    arrays = drawn(formula, 5)
    before = {name: array.copy() for name, array in arrays.items()}
    formula(**arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


@LAW
def test_docstring_describes_every_parameter(formula: Formula) -> None:
    described = doc(formula).partition("Parameters\n")[2].partition("References\n")[0]
    told = {name for line in re.findall(r"^([\w, ]+) : \S", described, re.MULTILINE) for name in line.split(", ")}
    assert told == set(inspect.signature(formula).parameters)


@LAW
def test_docstring_numbers_its_references(formula: Formula) -> None:
    found = re.findall(r"^\.\. \[(\d)\] (.+)$", doc(formula).partition("References\n")[2], re.MULTILINE)
    assert [number for number, _ in found] == [str(i + 1) for i in range(len(found))]
    assert found, f"{formula.__name__} needs a numbered reference"
    assert all(len(text) >= len("Definition.") for _, text in found)


# hours and power


def test_hours_of_six_nd_at_forty_per_cent_mfu_by_hand() -> None:
    """C = 6 x 7e9 x 1e12 = 4.2e22 FLOP; 4.2e22 / (989e12 x 0.4 x 3600 s) = 29,491 h."""
    hours = energy.accelerator_hours(4.2e22, 0.0, 989e12, 0.4, 1.0, 1.0)
    assert hours == pytest.approx(29_491, rel=1e-4)


def test_lost_time_adds_hours_in_inverse_proportion() -> None:
    all_useful = energy.accelerator_hours(1e22, 0.0, 1e15, 0.4, 0.1, 1.0)
    assert energy.accelerator_hours(1e22, 0.0, 1e15, 0.4, 0.1, 0.5) == 2 * all_useful


def test_generation_runs_at_its_own_mfu() -> None:
    dense, generated = (energy.accelerator_hours(*flop, 1e15, 0.4, 0.1, 1.0) for flop in ((1e22, 0.0), (0.0, 1e22)))
    assert generated == pytest.approx(4 * dense, rel=1e-15)
    assert energy.accelerator_hours(1e22, 1e22, 1e15, 0.4, 0.1, 1.0) == pytest.approx(dense + generated, rel=1e-15)


def test_hours_imply_the_mfu_times_goodput_they_were_made_from() -> None:
    hours = energy.accelerator_hours(3.8e25, 0.0, 989e12, 0.41, 0.1, 0.93)
    assert energy.implied_mfu(3.8e25, hours, 989e12) == pytest.approx(0.41 * 0.93, rel=1e-14)


def test_more_devices_take_less_time_at_the_same_hours() -> None:
    assert energy.wall_clock_h(30.84e6, 16384) == pytest.approx(1882.3, rel=1e-4)
    assert energy.wall_clock_h(30.84e6, 8192) == 2 * energy.wall_clock_h(30.84e6, 16384)


def test_load_lies_between_stalled_and_training() -> None:
    assert energy.load_share(1.0, 0.63, 0.3) == 0.63
    assert energy.load_share(0.0, 0.63, 0.3) == 0.3
    assert energy.load_share(0.5, 0.6, 0.2) == pytest.approx(0.4, rel=1e-15)


def test_node_power_runs_from_idle_to_maximum() -> None:
    assert energy.accelerator_power_w(237.5, 1275.0, 0.0, 0.0) == 237.5
    assert energy.accelerator_power_w(237.5, 1275.0, 1.0, 0.0) == 1275.0
    assert energy.accelerator_power_w(200.0, 1200.0, 0.5, 45.0) == 745.0


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour() -> None:
    assert energy.it_energy_kwh(1.0, 1000.0) == 1.0
    assert energy.nameplate_energy_kwh(2.0, 700.0) == pytest.approx(1.4, rel=1e-15)


# carbon and water


def test_model_card_of_llama_3_1_405b_by_hand() -> None:
    """30.84e6 h x 700 W x 1.08 x 383.55 g/kWh = 8,942 t; the model card states 8,930 t (Meta 2024, Llama 3.1)."""
    nameplate_kwh = energy.nameplate_energy_kwh(30.84e6, 700.0)
    assert nameplate_kwh == pytest.approx(21.588e6, rel=1e-9)
    carbon = impact.operational_location_kgco2e(energy.facility_energy_kwh(nameplate_kwh, 1.08), 383.55)
    assert carbon / 1000 == pytest.approx(8_942, rel=1e-3)


def test_facility_at_pue_one_is_its_computers() -> None:
    assert energy.facility_energy_kwh(123.0, 1.0) == 123.0


def walk(pue: float) -> dict[str, float]:
    """The corridor from IT energy to carbon and water, by the formulas themselves."""
    facility_kwh = energy.facility_energy_kwh(1000.0, pue)
    return {
        "carbon": impact.operational_location_kgco2e(facility_kwh, 400.0),
        "market": impact.operational_market_kgco2e(facility_kwh, 50.0),
        "onsite": impact.onsite_water_l(1000.0, 1.8),
        "offsite": impact.offsite_water_l(facility_kwh, 3.0),
        "bill": cost.electricity_usd(facility_kwh, 0.1),
    }


def test_onsite_water_does_not_depend_on_pue() -> None:
    assert walk(1.0)["onsite"] == walk(2.0)["onsite"] == 1800.0


@pytest.mark.parametrize("quantity", ["carbon", "market", "offsite", "bill"])
def test_doubling_pue_doubles_what_the_meter_sees_exactly_once(quantity: str) -> None:
    assert walk(2.0)[quantity] == 2 * walk(1.0)[quantity]


def test_four_hundred_grams_a_kilowatt_hour() -> None:
    assert impact.operational_location_kgco2e(1000.0, 400.0) == 400.0
    assert impact.operational_market_kgco2e(1000.0, 0.0) == 0.0


def test_embodied_share_of_a_whole_life_is_all_of_it() -> None:
    """SCI (ISO/IEC 21031): M = TE x TiR / EL; a device used all its life takes all of its embodied carbon."""
    assert impact.embodied_kgco2e(43_800.0, 164.0, 750.0, 43_800.0, 1.0) == pytest.approx(914.0, rel=1e-15)


def test_embodied_share_by_hand() -> None:
    """1e6 h x (164 + 312.5) kg / (43,800 h x 0.8) = 13,599 kg."""
    assert impact.embodied_kgco2e(1e6, 164.0, 312.5, 43_800.0, 0.8) == pytest.approx(13_598.7, rel=1e-5)


def test_idle_hours_of_the_fleet_are_charged_to_those_who_use_it() -> None:
    busy = impact.embodied_kgco2e(1e6, 164.0, 312.5, 43_800.0, 1.0)
    assert impact.embodied_kgco2e(1e6, 164.0, 312.5, 43_800.0, 0.5) == 2 * busy


def test_total_is_operational_and_embodied() -> None:
    assert impact.total_location_kgco2e(8_942e3, 400e3) == 9_342e3


def test_sci_times_its_unit_is_the_total() -> None:
    assert impact.sci_kgco2e_per_token(9e6, 15.6e12) * 15.6e12 == pytest.approx(9e6, rel=1e-15)
    assert impact.sci_kgco2e_per_flop(9e6, 3.8e25) * 3.8e25 == pytest.approx(9e6, rel=1e-15)


# money


def test_rent_by_hand() -> None:
    assert cost.rental_usd(2.788e6, 2.0) == 5.576e6  # DeepSeek-V3 report: 2.788M H800 hours at 2 USD


def test_capital_of_an_hour_by_hand() -> None:
    """30,000 USD x 1.64 / (1 - 0.19) x 0.3224 / (8760 h x 0.8) = 2.794 USD."""
    assert cost.capital_usd_per_h(30_000.0, 1.64, 0.19, 0.3224, 0.8) == pytest.approx(2.7943, rel=1e-4)


def test_capital_without_network_is_the_servers() -> None:
    assert cost.capital_usd_per_h(8760.0, 1.0, 0.0, 1.0, 1.0) == 1.0


def test_ownership_is_capital_and_electricity() -> None:
    assert cost.ownership_usd(1000.0, 2.5, 300.0) == 2800.0
