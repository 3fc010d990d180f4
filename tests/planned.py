"""Plans that tests ask for, and what they say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import footprint

CONFIGS = Path(__file__).parent / "configs"
PRETRAIN = {"name": "base", "kind": "pretrain", "tokens": "1T"}
LONG = {"name": "long", "kind": "sft", "tokens": "40B", "after": "base"}


def estimate(**words: Any) -> footprint.Result:
    """7B parameters on a trillion tokens, 1,024 H100 in France, unless said otherwise."""
    usual = {"params": "7B", "tokens": "1T", "accelerator": "h100-sxm", "count": 1024, "country": "FR"}
    return footprint.estimate(**{k: v for k, v in {**usual, **words}.items() if v is not None})


def flop(result: footprint.Result) -> float:
    assert result.usage.training_flop is not None
    return result.usage.training_flop.mid
