"""Runs before the final one: a named factor, off unless asked for."""

from __future__ import annotations

from typing import Any

import pytest

import footprint
from footprint.errors import InputError, UnknownName

PLAN: dict[str, Any] = {"params": "7B", "tokens": "2T", "accelerator": "h100-sxm", "count": 512, "country": "FR"}


def test_development_is_off_and_offered_by_name() -> None:
    found = footprint.estimate(**PLAN)
    assert [line.name for line in found.usage.lines] == ["pretrain"]
    (offer,) = [a for a in found.ledger if a.field == "development_ratio"]
    assert (offer.value, offer.origin) == (0.0, "default")
    assert "olmo (x 0.5)" in offer.note


def test_olmos_development_adds_half_of_hours_and_energy_and_no_flop_or_days() -> None:
    """arXiv 2503.05804: development took half of the training's energy."""
    plain, grown = footprint.estimate(**PLAN), footprint.estimate(**PLAN, development="olmo")
    assert grown.usage.accelerator_hours.mid == pytest.approx(1.5 * plain.usage.accelerator_hours.mid, rel=1e-12)
    assert grown.usage.it_energy_kwh.mid == pytest.approx(1.5 * plain.usage.it_energy_kwh.mid, rel=1e-12)
    assert grown.model_card.facility_energy_kwh.mid == pytest.approx(
        1.5 * plain.model_card.facility_energy_kwh.mid, rel=1e-12
    )
    assert grown.usage.training_flop == plain.usage.training_flop
    assert grown.usage.wall_clock_h == plain.usage.wall_clock_h
    assert grown.usage.tokens == plain.usage.tokens
    (told,) = [a for a in grown.ledger if a.field == "development_ratio"]
    assert told.source == "arXiv:2503.05804"


def test_a_ratio_of_ones_own_and_a_plan_of_several_devices() -> None:
    stages = [
        {"kind": "pretrain", "tokens": "1T", "accelerator": "h100-sxm"},
        {"kind": "sft", "tokens": "1B", "accelerator": "a100-80gb"},
    ]
    words: dict[str, Any] = {"params": "7B", "stages": stages, "country": "FR"}
    plain, grown = footprint.estimate(**words), footprint.estimate(**words, development="0.1:0.2:0.3")
    names = [line.name for line in grown.usage.lines]
    assert names == ["pretrain", "sft", "development h100-sxm5-80gb", "development a100-sxm4-80gb"]
    assert grown.usage.accelerator_hours.mid == pytest.approx(1.2 * plain.usage.accelerator_hours.mid, rel=1e-12)
    assert grown.usage.accelerator_hours.high > 1.2 * plain.usage.accelerator_hours.high * 0.99


def test_an_unknown_or_impossible_development_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean olmo"):
        footprint.estimate(**PLAN, development="olmoo")
    with pytest.raises(InputError, match="development_ratio = '-1'"):
        footprint.estimate(**PLAN, development="-1")
