"""The public functions of the estimator: `estimate`, `compare`, `sweep`, `backtest`, and what charts show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from footprint.catalog import Catalog, open_catalog
from footprint.estimation import retold
from footprint.estimation import words as read
from footprint.estimation.estimator import estimate as estimate_drafts
from footprint.estimation.plan import all_words, drafts
from footprint.estimation.presets import preset_rows
from footprint.estimation.stages import is_moe
from footprint.report.comparison import BENCHMARKS
from footprint.report.result import Result
from footprint.studies import Backtest, Calibration, LayoutSearch, Measurements, Neighbour, Scaling, Score
from footprint.throughput.neighbours import nearest
from footprint.units import PERCENT_PER_SHARE
from footprint.values import Footprint

if TYPE_CHECKING:
    import pandas as pd


def estimate(
    subject: str | Path | Mapping[str, Any] | None = None,
    *,
    data: str | Path | None = None,
    sensitivity: bool = False,
    **words: Unpack[read.Words],
) -> Result:
    """What a training run will cost: hours, energy, carbon, water and money, each as a range.

    Parameters
    ----------
    subject : str, path or mapping, optional
        A preset ('llama-3.1-405b'), a family ('llama-3.1'), a YAML plan, or its words as a mapping.
    data : path, optional
        A folder of the user's own tables, over the shipped ones; also by FOOTPRINT_DATA.
    sensitivity : bool
        Also tell how far each uncertain input moves the answer.
    **words
        `Words`: params, tokens, accelerator, count, region, settings={'pue': 1.09}, ...

    Returns
    -------
    Result
        A frozen `Footprint` that shows itself.

    Raises
    ------
    InputError, UnknownName, DataError
        For words that cannot be, naming the field, the value, the bound and the fix.
    """
    catalog = open_catalog(data)
    said = all_words(subject, words)
    name, built = drafts(said, {}, catalog)
    found = estimate_drafts(name, built, catalog, sensitivity)
    return Result.of(replace(found, words=retold.told(said)))


def compare(*subjects: str | Path, data: str | Path | None = None, **words: Unpack[read.Words]) -> tuple[Result, ...]:
    """The same words for several models or plans, in the order asked."""
    return tuple(estimate(subject, data=data, **words) for subject in subjects)


def sweep(*, data: str | Path | None = None, **words: Any) -> pd.DataFrame:
    """Plain estimates (no ranges) of many scenarios at once, one row each.

    Parameters
    ----------
    data : path, optional
        As for `estimate`.
    **words
        As for `estimate`; `params`, `active_params`, `tokens` and every setting may be sequences or arrays,
        which broadcast against each other.

    Returns
    -------
    pandas.DataFrame
        One row a scenario: the swept inputs, then hours, energy, carbon, water and money by field name.
    """
    from footprint.estimation.sweeping import sweep_frame

    return sweep_frame(words, open_catalog(data))


def backtest(*, data: str | Path | None = None) -> Backtest:
    """Every published run with stated hours: reported against estimated, its own organization left out of the range."""
    from footprint.estimation.backtesting import run_backtest

    return run_backtest(open_catalog(data))


def measurements(*, data: str | Path | None = None) -> Measurements:
    """Every measured configuration beside the MFU predicted for it with its source left out of the fit."""
    from footprint.throughput.unseen import measurements

    return measurements(open_catalog(data))


def scaling(
    subject: str | Path | Mapping[str, Any] | None = None,
    *,
    stage: str | None = None,
    batch_follows: bool = False,
    data: str | Path | None = None,
    **words: Unpack[read.Words],
) -> Scaling:
    """The MFU of one stage of a plan on more and on fewer accelerators, and what was measured nearby.

    Parameters
    ----------
    subject, data, **words
        As for `estimate`.
    stage : str, optional
        Which stage; the first unless named.
    batch_follows : bool
        Whether tokens a step grow with the count; otherwise they stay those of the plan.
    """
    from footprint.estimation import charted

    return charted.scaling(charted.shown(subject, words, stage, open_catalog(data)), batch_follows)


def layout_search(
    subject: str | Path | Mapping[str, Any] | None = None,
    *,
    stage: str | None = None,
    data: str | Path | None = None,
    **words: Unpack[read.Words],
) -> LayoutSearch:
    """The fastest layout of one stage of a plan by tensor and pipeline size; parameters as for `scaling`."""
    from footprint.estimation import charted

    return charted.layout_search(charted.shown(subject, words, stage, open_catalog(data)))


def calibrate(
    runs: str | Path | Iterable[Mapping[str, Any]],
    *,
    write: str | Path | None = None,
    skip_bad: bool = False,
    data: str | Path | None = None,
) -> Calibration:
    """Move predictions toward one's own runs; `footprint calibrate --example` shows the columns.

    Parameters
    ----------
    runs : path, or mappings
        A CSV file with one run a row, or its rows as mappings.
    write : path, optional
        A folder for the changed rows of the rule, to be given as `data` from then on.
    skip_bad : bool
        Pass over rows that cannot be read; they stand in `skipped`.
    data : path, optional
        As for `estimate`. Rows that an earlier calibration wrote there do not count twice.

    Returns
    -------
    Calibration
        Each run before and after, the levels, and the rows of the rule.

    Raises
    ------
    InputError, DataError
        For a file or a row that cannot be, naming line, column, value and fix.
    """
    from footprint.estimation.calibrating import run_calibration

    return run_calibration(runs, open_catalog(data), write, skip_bad)


def neighbours(result: Footprint, *, data: str | Path | None = None) -> tuple[Neighbour, ...]:
    """The measured configurations nearest to the first stage of a plan."""
    catalog = open_catalog(data)
    if result.plan is None or result.plan.stages[0].active_params is None:
        return ()
    stage = result.plan.stages[0]
    moe = bool(is_moe(stage.architecture, stage.params, stage.active_params))
    size = stage.active_params.mid if stage.active_params else 0.0
    return nearest(
        catalog.accelerator(stage.accelerator), size, moe, stage.precision, stage.accelerator_count, stage.seq_len,
        catalog,
    )  # fmt: skip


def scores(
    model_id: str, *, benchmarks: Sequence[str] = BENCHMARKS, data: str | Path | None = None
) -> tuple[Score, ...]:
    """Published quality scores of a preset, as shares of one."""
    catalog = open_catalog(data)
    return tuple(
        Score(
            model=str(row["model"]),
            benchmark=str(row["benchmark"]),
            setting=str(row["setting"] or ""),
            score_share=float(row["score"]) / PERCENT_PER_SHARE,  # type: ignore[arg-type]
            source=str(row["source"]),
        )
        for row in catalog.rows("scores")
        if row["model_id"] == model_id and row["benchmark"] in benchmarks
    )


def members(family: str, *, data: str | Path | None = None) -> tuple[str, ...]:
    """The preset ids of a family, or the one preset of that name."""
    return tuple(str(row["id"]) for row in preset_rows(family, open_catalog(data)))


def catalog(data: str | Path | None = None) -> Catalog:
    """The tables that estimates rest on."""
    return open_catalog(data)
