"""Values survive being written as JSON and read again, by older and newer versions too."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Any

import handmade
import handmade_runs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import footprint
from footprint import records, studies, values
from footprint.errors import InputError
from footprint.values import (
    Assumption,
    Footprint,
    Gap,
    Layout,
    Meter,
    MeterUsage,
    Range,
    Run,
    Sample,
    Step,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def written_and_read(value: Any) -> Any:
    """Through JSON text, as every file has it."""
    kind = type(value) if type(value) is not footprint.Result else Footprint
    return records.from_plain(kind, json.loads(json.dumps(records.to_plain(value), allow_nan=False)))


def ranges() -> st.SearchStrategy[Range]:
    return st.lists(NUMBERS, min_size=3, max_size=3).map(lambda ends: Range(*sorted(ends)))


METERS = st.builds(
    Meter, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, st.booleans(), *[st.none() | NUMBERS] * 5, ranges(), NUMBERS,
    st.none() | NUMBERS, TEXT, TEXT,
)  # fmt: skip
SAMPLES = st.builds(Sample, TEXT, NUMBERS, *[st.none() | NUMBERS] * 5)


@given(METERS | SAMPLES)
@settings(max_examples=60, deadline=None)
def test_any_meter_and_any_sample_comes_back(value: Meter | Sample) -> None:
    assert written_and_read(value) == value


@given(METERS, ranges(), st.lists(st.builds(Gap, NUMBERS, NUMBERS, TEXT), max_size=3), st.none() | ranges())
@settings(max_examples=40, deadline=None)
def test_any_use_of_a_meter_comes_back(meter: Meter, energy: Range, gaps: list[Gap], attributed: Range | None) -> None:
    usage = MeterUsage("host", meter, energy, 60.0, 0.5, gaps=tuple(gaps), attributed_it_energy_kwh=attributed)
    assert written_and_read(usage) == usage


@pytest.mark.parametrize(
    "value",
    [
        handmade.footprint(), handmade.family(), handmade.with_sensitivities(), handmade.backtest(),
        handmade_runs.run(), handmade_runs.eventful(), handmade_runs.run(name=handmade_runs.HOSTILE),
    ],
    ids=["footprint", "family", "sensitivities", "backtest", "run", "eventful run", "hostile name"],
)  # fmt: skip
def test_what_was_made_by_hand_comes_back(value: Any) -> None:
    assert written_and_read(value) == value


def test_an_estimate_comes_back_whole() -> None:
    result = footprint.estimate(
        params="7B", tokens="1T", accelerator="h100-sxm", count=256, region="aws/us-east-1", settings={"pue": "1.1:1.2"}
    )
    again = written_and_read(result)
    assert footprint.Result.of(again) == result
    assert again.steps
    assert again.ledger
    assert again.plan is not None


def test_a_range_is_three_ends_and_absent_is_null() -> None:
    plain = records.to_plain(replace(handmade_runs.gpu(0), it_energy_kwh=Range(1.0, 2.0, 3.0)))
    assert plain["it_energy_kwh"] == {"low": 1.0, "mid": 2.0, "high": 3.0}
    assert plain["attributed_it_energy_kwh"] is None


def test_pairs_are_written_as_an_object_and_read_from_a_list_too() -> None:
    step = Step("part", "field", "a = b", (("b", 2.0), ("c", 3.0)), 5.0, "none")
    plain = records.to_plain(step)
    assert plain["inputs"] == {"b": 2.0, "c": 3.0}
    assert records.from_plain(Step, plain) == step
    assert records.from_plain(Step, plain | {"inputs": [["b", 2], ["c", 3]]}) == step


def test_the_version_of_the_schema_stands_on_top_of_the_text() -> None:
    text = records.to_json(handmade_runs.run())
    assert json.loads(text)["schema_version"] == records.SCHEMA_VERSION
    assert text.startswith('{\n  "schema_version"')
    assert text.endswith("}\n")
    assert records.from_plain(Run, json.loads(text)) == handmade_runs.run()


def test_no_text_holds_a_number_that_json_does_not_know() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        records.to_json(replace(handmade_runs.gpu(0), mean_w=math.nan))


# older and newer files


def test_a_key_that_is_not_known_yet_is_passed_over() -> None:
    plain = records.to_plain(handmade_runs.eventful())
    plain["colour"] = "green"
    plain["meters"][0]["meter"]["temperature_k"] = 300
    assert records.from_plain(Run, plain) == handmade_runs.eventful()


def test_a_key_that_was_not_there_yet_has_its_default() -> None:
    meter = Meter("gpu", "accelerator", "H100", "nvml", "gpu", "measured")
    plain = {name: getattr(meter, name) for name in ("id", "component", "name", "sensor", "scope", "origin")}
    assert records.from_plain(Meter, plain) == meter


def needed() -> list[tuple[type, str]]:
    """Every field of every record that has no default."""
    whole = {**vars(values), **vars(studies)}.values()
    kinds = [kind for kind in whole if isinstance(kind, type) and is_dataclass(kind)]
    return [
        (kind, one.name)
        for kind in kinds
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    ]


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in needed()}, key=lambda kind: kind.__name__))
def test_a_key_without_a_default_that_is_missing_is_named(kind: type) -> None:
    first = next(name for record, name in needed() if record is kind)
    with pytest.raises(InputError, match=rf"^{kind.__name__}\.{first}: is missing; give the JSON of a whole record$"):
        records.from_plain(kind, {})


# damaged files


@pytest.mark.parametrize("plain", [None, 5, "text", [], [1], True])
def test_what_is_no_object_is_no_record(plain: Any) -> None:
    with pytest.raises(InputError, match=r"^Sample = '\w+': is not an object"):
        records.from_plain(Sample, plain)


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        (Meter, {"id": 5}, r"Meter.id = '5': is not str"),
        (Meter, {"has_counter": "yes"}, r"Meter.has_counter = 'yes': is not bool"),
        (Meter, {"share": "half"}, r"Meter.share = 'half': is not float"),
        (Meter, {"share": True}, r"Meter.share = 'True': is not float"),
        (Meter, {"share": 10**400}, r"Meter.share = '10+': must be below 1e\+60"),
        (Meter, {"max_w": []}, r"Meter.max_w = '\[\]': is not float"),
        (Meter, {"true_over_read_ratio": 1.0}, r"Range = 'float': is not an object"),
        (Meter, {"true_over_read_ratio": {"low": 1.0, "mid": 1.0}}, r"Range.high: is missing"),
        (Meter, {"true_over_read_ratio": {"low": 2, "mid": 1, "high": 3}}, r"must be finite and rising"),
        (Run, {"tags": "abc"}, r"Run.tags = 'abc': is not a list"),
        (Run, {"tags": [1]}, r"Run.tags = '1': is not str"),
        (Run, {"meters": {"a": 1}}, r"MeterUsage = 'tuple': is not an object"),
        (Run, {"hourly_it_energy_kwh": [[0]]}, r"Run.hourly_it_energy_kwh = '\[0\]': must hold 2"),
        (Run, {"hourly_it_energy_kwh": [[0, 1.0, 2.0]]}, r"must hold 2"),
        (Run, {"planned": 7}, r"Footprint = 'int': is not an object"),
        (Assumption, {"value": [1]}, r"Range = 'list': is not an object"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_named(kind: type, changes: dict[str, Any], told: str) -> None:
    whole: dict[type, Any] = {
        Meter: handmade_runs.gpu(0).meter,
        Run: handmade_runs.run(),
        Assumption: Assumption("pue", 1.1, "given", "user"),
    }
    with pytest.raises(InputError, match=told):
        records.from_plain(kind, records.to_plain(whole[kind]) | changes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([Meter, MeterUsage, Run, Layout]), st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_a_file_is_a_record_or_an_input_error(kind: type, data: st.DataObject) -> None:
    whole: dict[type, Any] = {
        Meter: handmade_runs.gpu(0).meter,
        MeterUsage: handmade_runs.gpu(0),
        Run: handmade_runs.run(),
        Layout: Layout(1, 1, 1, 1, 8, 0, 1, 1, 1, 0.0, 60.0, True, 1.0, (("compute", 0.8), ("wait", 0.2))),
    }
    plain = records.to_plain(whole[kind])
    plain[data.draw(st.sampled_from(sorted(plain)))] = data.draw(JSON)
    with suppress(InputError):
        assert isinstance(records.from_plain(kind, plain), kind)
