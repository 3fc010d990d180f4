"""Watches a run's budget, and does once what was asked for where it does not hold."""

from __future__ import annotations

import threading

from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.forecasting import over_budget

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
    live, asked = run.live(), run.words.on_budget
    spent = {
        "budget_kwh": live.facility_energy_kwh,
        "budget_kgco2e": live.operational_location_kgco2e,
        "budget_usd": live.electricity_usd,
    }
    reason = over_budget(run.words.budgets, spent, run.forecast())
    if reason is None:
        return False
    run.budget_reached = True
    run.note(reason)
    if callable(asked):
        threading.Thread(target=_call_back, args=(run, reason), name="footprint-budget", daemon=True).start()
    elif asked == "stop":
        run.agree_to_stop(stop_within_s)
    return asked == "signal"


def _call_back(run: ActiveRun, reason: str) -> None:
    """On a thread of its own: it may take its time, and stop the run."""
    try:
        assert callable(run.words.on_budget)
        run.words.on_budget(run, reason)
    except Exception as error:  # noqa: BLE001 - the user's own function; an exit ends this thread alone
        run.note(f"on_budget raised {type(error).__name__}: {error}")
