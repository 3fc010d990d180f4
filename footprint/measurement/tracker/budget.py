"""Watches a run's budget, and does once what was asked for where it does not hold."""

from __future__ import annotations

import threading
from pathlib import Path

from footprint.catalog import open_catalog
from footprint.measurement.limits import limits
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.forecasting import over_budget
from footprint.measurement.tracker.words import BUDGETS

__all__ = ["look_at_budget"]


def look_at_budget(run: ActiveRun, stop_within_s: float) -> bool:
    """Note that a budget is spent or will not do, and act on it, the first time that it is seen.

    Parameters
    ----------
    stop_within_s : seconds until all processes of the run have heard of a stop

    Returns
    -------
    bool
        Whether this process shall be sent a signal, once the note is on the disk: it may be the end of it.
    """
    if run.budget_reached or not run.words.budgets:
        return False
    if run.is_resumed and run.earlier_it_energy_kwh is None and run.journal is not None:
        run.earlier_it_energy_kwh = 0.0
        threading.Thread(target=_remember, args=(run, run.journal), name="footprint-earlier", daemon=True).start()
    earlier = dict(zip(BUDGETS, run.priced(run.earlier_it_energy_kwh or 0.0), strict=True))
    now = dict(zip(BUDGETS, run.priced(run.live().it_energy_kwh), strict=True))
    spent = {name: None if value is None else value + (earlier[name] or 0.0) for name, value in now.items()}
    asked = run.words.on_budget
    reason = over_budget(run.words.budgets, spent, run.forecast(), earlier)
    if reason is None:
        return False
    run.budget_reached = True
    run.note(reason)
    if callable(asked):
        threading.Thread(target=_call_back, args=(run, reason), name="footprint-budget", daemon=True).start()
    elif asked == "stop":
        run.agree_to_stop(stop_within_s)
    return asked == "signal"


def _remember(run: ActiveRun, own: Path) -> None:
    """What earlier starts of the run have drawn, as far as their journals lie beside this one's; may take a while."""
    from footprint.measurement.tracker.segments import earlier_it_energy_kwh  # here, not above: few runs ask

    try:
        run.earlier_it_energy_kwh = earlier_it_energy_kwh(own, limits(open_catalog(run.words.data)))
    except Exception as error:  # noqa: BLE001 - the guard: the budget is then this start's alone
        run.note(f"what earlier starts have drawn is not known: {type(error).__name__}: {error}")


def _call_back(run: ActiveRun, reason: str) -> None:
    """On a thread of its own: it may take its time, and stop the run."""
    try:
        assert callable(run.words.on_budget)
        run.words.on_budget(run, reason)
    except Exception as error:  # noqa: BLE001 - the user's own function; an exit ends this thread alone
        run.note(f"on_budget raised {type(error).__name__}: {error}")
