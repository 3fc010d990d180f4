"""How far a training is, from what its processes tell: words of progress, and the record that they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from footprint.values import Progress

__all__ = ["BEGUN", "STOP_STEP", "SUMMED", "begun", "joined", "progress_of", "since_start"]

SUMMED = ("steps_count", "tokens", "run_tokens", "epochs_count", "training_flop")
"""What further starts of a run add to, unless they go on counting."""

BEGUN = "begun_"
"""Before the name of a count: where this start went on with it. Without such a word it counts from nothing."""

STOP_STEP = "stop_step"
"""The step after which every process stops, so that none waits for another."""


def begun(known: Mapping[str, float]) -> dict[str, float]:
    """The words that say where counts go on, for those that are the whole run's."""
    return {BEGUN + name: value for name, value in known.items() if name in SUMMED and name != "tokens"}


def since_start(told: Mapping[str, float], name: str) -> float:
    """What this start has added to a count."""
    return told.get(name, 0.0) - told.get(BEGUN + name, 0.0)


def joined(files: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Progress of a segment: tokens of ranks add up, everything else is the same thing seen by each."""
    whole: dict[str, float] = {}
    for one in files:
        for name, value in one.items():
            whole[name] = whole.get(name, 0.0) + value if name == "tokens" else max(whole.get(name, 0.0), value)
    return whole


def progress_of(told: Mapping[str, float], said: Mapping[str, float]) -> Progress:
    """Counts as they were told; totals as they were told, else as the user said."""

    def known(name: str, word: str) -> float | None:
        value = told.get(name, said.get(word))
        return None if value is None else float(value)

    return Progress(
        steps_count=told.get("steps_count", 0.0),
        tokens=told.get("tokens", 0.0) + told.get("run_tokens", 0.0),
        epochs_count=told.get("epochs_count", 0.0),
        total_steps_count=known("total_steps_count", "steps"),
        total_tokens=known("total_tokens", "tokens"),
        total_epochs_count=known("total_epochs_count", "epochs"),
        training_flop=told.get("training_flop"),
    )
