"""What a plan may say: inputs that cannot be, plans in files, families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from planned import CONFIGS, LONG, PRETRAIN, estimate, flop

import footprint
from footprint.errors import InputError, UnknownName
from footprint.estimation import doors
from footprint.values import Range

# inputs that cannot be


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"settings": {"mfu": 1.2}}, "mfu = 1.2: must be at most 1"),
        ({"settings": {"mfu": 0}}, "mfu = 0: must be above 0"),
        ({"settings": {"goodput": "0.9:1.1"}}, "goodput = '0.9:1.1': must be at most 1"),
        ({"settings": {"pue": 0.9}}, "pue = 0.9: must be at least 1"),
        ({"settings": {"location_intensity_g_per_kwh": -1}}, "location_intensity_g_per_kwh = -1: must be"),
        ({"tokens": "-1T"}, "tokens = '-1T': must be above 0"),
        ({"tokens": 0}, "tokens = 0: must be above 0"),
        ({"count": 0}, "count = 0: must be at least 1"),
        ({"count": 7.5}, "count = 7.5: must be a whole number"),
        ({"params": "1e400"}, "params = '1e400': must be finite"),
        ({"params": "nan"}, "params = 'nan': is not a number"),
        ({"params": ""}, "params = '': is not a number"),
        ({"params": True}, "params = True: is not a number"),
        ({"active_params": "8B"}, "active_params = '8B': must not exceed params"),
        ({"params": None}, "params: is missing for stage pretrain; give --params, or --flop"),
        ({"tokens": None}, "tokens: is missing for stage pretrain; give --tokens, or --flop"),
        ({"accelerator": None}, "accelerator: is missing; give one, such as --accelerator h100-sxm"),
        ({"precision": "fp4"}, "precision = 'fp4': h100-sxm5-80gb has no fp4 peak; choose one of"),
        ({"config": {"model_type": "bert"}, "params": None}, "model_type = 'bert': is not a supported decoder-only"),
        ({"config": {"model_type": "llama"}}, "params = '7B': contradicts config; give one of the two"),
        ({"tokens": None, "stages": []}, "stages = .*must be a list of mappings"),
        ({"tokens": None, "stages": [PRETRAIN, PRETRAIN]}, "stages = 'base, base': share a name"),
        ({"tokens": None, "stages": [LONG]}, "after = 'base': is no stage before long"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        estimate(**words)
    assert "\n" not in str(told.value)
    assert "; " in str(told.value)  # what to do stands behind it


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"accelerator": "h100-smx"}, "accelerator = 'h100-smx': is not a known name; did you mean h100-sxm"),
        ({"model": "lama-3.1-405b", "params": None}, "did you mean llama-3.1-405b"),
        ({"parms": "7B"}, "option = 'parms': is not a known name; did you mean params"),
        ({"settings": {"mfuu": 0.4}}, "set = 'mfuu': is not a known name; did you mean mfu"),
        (
            {"tokens": None, "stages": [{"kind": "pretraining"}]},
            "kind = 'pretraining': .*did you mean pretrain",
        ),
        (
            {"tokens": None, "stages": [{"tokenz": "1T"}]},
            "stage word = 'tokenz': is not a known name; did you mean tokens",
        ),
        ({"optimizer": "adamm"}, "optimizer = 'adamm': is not a known name; did you mean adamw"),
        ({"country": "Frnce"}, "did you mean France"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(words: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownName, match=message) as told:
        estimate(**words)
    assert "\n" not in str(told.value)


def test_a_family_takes_no_single_size() -> None:
    with pytest.raises(InputError, match=r"tokens = '1T': llama-3.1 is a family of models; name one of them"):
        footprint.estimate("llama-3.1", tokens="1T")


def test_hours_that_nobody_reported_cannot_be_taken() -> None:
    with pytest.raises(InputError, match="has no published hours; leave --reported out"):
        footprint.estimate("gpt-4o", reported=True)


# plans in files


PLAN = """
name: small-chat
params: 3B
accelerator: h100-sxm
count: 64
country: SE
set: {pue: 1.1}
stages:
  - {name: base, kind: pretrain, tokens: 2T}
  - {name: tune, kind: sft, tokens: 1B, repeats: 2, after: base}
"""


def test_a_yaml_plan_is_its_words(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    found = footprint.estimate(file)
    spoken = footprint.estimate(
        name="small-chat", params="3B", accelerator="h100-sxm", count=64, country="SE", settings={"pue": 1.1},
        stages=[
            {"name": "base", "kind": "pretrain", "tokens": "2T"},
            {"name": "tune", "kind": "sft", "tokens": "1B", "repeats": 2, "after": "base"},
        ],
    )  # fmt: skip
    assert found == spoken
    assert found.name == "small-chat"
    assert flop(found) == pytest.approx(6 * 3e9 * (2e12 + 2e9), rel=1e-12)
    assert found.site.pue == Range.exactly(1.1)


def test_words_beside_a_plan_win_over_it(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    assert footprint.estimate(file, country="PL").site.zone == "POL"
    assert footprint.estimate(file).site.zone == "SWE"


def test_a_json_plan_works_alike(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    words = {"params": "7B", "tokens": "1T", "accelerator": "h100-sxm", "count": 1024, "country": "FR"}
    file.write_text(json.dumps(words), encoding="utf-8")
    assert footprint.estimate(file).usage == estimate().usage


def test_a_plans_config_is_looked_for_beside_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((CONFIGS / "llama-7b.json").read_bytes())
    file = tmp_path / "plan.yaml"
    file.write_text("config: config.json\ntokens: 1T\naccelerator: a100\ncountry: FR\n", encoding="utf-8")
    beside = footprint.estimate(file)
    assert flop(beside) == flop(estimate(params=None, config=CONFIGS / "llama-7b.json", accelerator="a100", count=None))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params: 7B\ntokens: [1T\ncount: 8\n", r"plan = .*: is not YAML at line 3"),
        ("params: 7B\n  tokens: 1T\n", r"plan = .*: is not YAML at line 2"),
        ("- 7B\n- 1T\n", r"plan = .*: is not a mapping of words"),
        ("", r"plan = .*: is not a mapping of words"),
        ("set: 3\n", "settings = '3': must be a mapping"),
        ("params: 7B\ntokenz: 1T\n", "plan word = 'tokenz': is not a known name; did you mean tokens"),
    ],
)
def test_a_plan_that_cannot_be_read_says_where(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as told:
        footprint.estimate(file)
    assert "\n" not in str(told.value)


def test_a_plan_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"plan = 'no/where\.yaml': is not a file"):
        footprint.estimate("no/where.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON at line 1"), ("[]", "is not a JSON object"), ('{"model_type": "bert"}', "'bert'")],
)
def test_a_config_that_cannot_be_read_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        estimate(params=None, config=file)


# families


def test_a_family_is_the_sum_of_its_members() -> None:
    found = footprint.estimate("llama-3.1")
    assert [part.name for part in found.parts] == list(doors.members("llama-3.1"))
    assert found.usage.accelerator_hours.mid == pytest.approx(
        sum(part.usage.accelerator_hours.mid for part in found.parts), rel=1e-12
    )
    for quantity in ("facility_energy_kwh", "operational_location_kgco2e", "onsite_water_l", "offsite_water_l"):
        whole, parts = getattr(found.facility, quantity), [getattr(part.facility, quantity) for part in found.parts]
        assert whole.mid == pytest.approx(sum(part.mid for part in parts), rel=1e-12)
    assert found.total_location_kgco2e.mid == pytest.approx(
        sum(part.total_location_kgco2e.mid for part in found.parts), rel=1e-12
    )


def test_the_errors_of_a_familys_members_are_shared_so_its_range_is_as_wide() -> None:
    found = footprint.estimate("llama-3.1")
    ends = [sum(getattr(part.usage.accelerator_hours, end) for part in found.parts) for end in ("low", "high")]
    hours = found.usage.accelerator_hours
    assert (hours.low, hours.high) == pytest.approx(ends, rel=0.02)


def test_a_member_of_a_family_is_the_model_alone() -> None:
    (part,) = [p for p in footprint.estimate("llama-3.1").parts if p.name == "llama-3.1-8b"]
    alone = footprint.estimate("llama-3.1-8b")
    assert part.usage == alone.usage
    assert part.facility == alone.facility


def test_comparing_is_estimating_one_after_the_other() -> None:
    pair = footprint.compare("gpt-3", "bloom")
    assert [r.usage for r in pair] == [footprint.estimate(n).usage for n in ("gpt-3", "bloom")]
