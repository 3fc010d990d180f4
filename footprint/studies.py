"""What wider questions are answered with: many runs, counts, places or scenarios side by side, and how sure that is.

Frozen records without arithmetic, made of those in `footprint.values` under the same rules. They stand apart so that
a training that is measured does not wait for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from footprint.values import Assumption, Footprint, Layout, Meter, Range, Site


@dataclass(frozen=True, slots=True)
class BacktestRow:
    """One published run: the hours its authors reported beside the hours estimated without them."""

    run_id: str
    model: str
    organization: str
    tier: str
    kind: str
    accelerator: str
    reported_accelerator_hours: float
    estimated_accelerator_hours: Range
    inside: bool
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class BacktestGroup:
    """How far the estimates of a group of runs, or of measured configurations, were off."""

    name: str
    run_count: int
    median_error_ratio: float  # median of max(estimate/reported, reported/estimate)
    p90_error_ratio: float
    median_bias_ratio: float  # median of estimate/reported
    inside_share: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """Published runs, reported against estimated, in all and by accelerator and kind."""

    rows: tuple[BacktestRow, ...]
    groups: tuple[BacktestGroup, ...]
    skipped: tuple[tuple[str, str], ...]  # run id, why it cannot be estimated
    catalog_digest: str = ""
    version: str = ""
    steady_groups: tuple[BacktestGroup, ...] = ()  # measured configurations, each source unseen


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured configuration near to a planned one."""

    model: str
    accelerator: str
    accelerator_count: int
    seq_len: int
    precision: str
    mfu: float
    source: str
    distance_ratio: float


@dataclass(frozen=True, slots=True)
class Score:
    """A published quality score of a model."""

    model: str
    benchmark: str
    setting: str
    score_share: float
    source: str


@dataclass(frozen=True, slots=True)
class MeasuredPoint:
    """A measured configuration beside what is predicted for it without its source; MFU over the dense 16-bit peak."""

    id: str
    source_id: str
    model: str
    accelerator: str
    generation: str
    accelerator_count: int | None
    seq_len: int | None
    batch_tokens: float | None
    precision: str
    is_moe: bool
    kind: str  # which interval holds for it: dense, moe or early (software of before fused attention)
    active_params: float
    measured_mfu: float
    stated_mfu: float  # predicted on the layout that its source states, as far as it does
    searched_mfu: float  # predicted on the layout that is found
    own_peak_mfu: float  # measured, over the dense peak of the precision in use
    source: str


@dataclass(frozen=True, slots=True)
class MeasuredSeries:
    """One source's measurements of one model on one device, in one precision and at one length, over the count."""

    points: tuple[MeasuredPoint, ...]


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measured configurations, each predicted without its source; errors are max(measured/predicted, its inverse)."""

    points: tuple[MeasuredPoint, ...]
    median_error_ratio: float  # on the layout found; each row counts by 1/sqrt(the rows of its source)
    p90_error_ratio: float
    interval_ratio: tuple[tuple[str, Range], ...]  # measured over predicted, by kind
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """What a plan's stage would reach on so many accelerators; MFU over the dense peak of the precision in use."""

    accelerator_count: int
    batch_tokens: float
    mfu: Range  # over a whole run, beside failures
    steady_mfu: Range
    goodput: Range
    layout: Layout


@dataclass(frozen=True, slots=True)
class Scaling:
    """A stage on more and on fewer accelerators, and the measured configurations nearest to it."""

    name: str
    stage: str
    accelerator: str
    precision: str
    seq_len: int
    accelerator_count: int  # the plan's own, or the one that was taken for it
    batch_tokens: float  # at that count
    batch_follows: bool  # the count; else it stays
    points: tuple[ScalingPoint, ...]
    measured: tuple[MeasuredSeries, ...] = ()
    notes: tuple[str, ...] = ()
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class LayoutCell:
    """The fastest layout of one tensor and one pipeline size, or why there is none."""

    tensor: int
    pipeline: int
    steady_mfu: Range | None
    layout: Layout | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LayoutSearch:
    """The layouts of a stage by tensor and pipeline size, and the one that was found."""

    name: str
    stage: str
    accelerator: str
    precision: str
    seq_len: int
    accelerator_count: int
    batch_tokens: float
    cells: tuple[LayoutCell, ...]
    found: Layout
    steady_mfu: Range
    notes: tuple[str, ...] = ()
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A run of the user's own beside its predictions; hours where it is a whole run, tokens/s where it is steady."""

    name: str
    line: int  # of the file
    accelerator: str
    measure: str  # the column that states what was reached
    is_steady: bool
    measured_accelerator_hours: float | None
    before_accelerator_hours: Range | None
    after_accelerator_hours: Range | None
    measured_accelerator_tokens_per_s: float | None
    before_accelerator_tokens_per_s: Range | None
    after_accelerator_tokens_per_s: Range | None
    before_ratio: float  # predicted over measured
    after_ratio: float
    left_out_ratio: float | None  # calibrated on the other configurations; None where there is no other
    inside_before: bool
    inside_after: bool


@dataclass(frozen=True, slots=True)
class OwnLevel:
    """Throughput of a cluster over the predicted one, and how far predictions of its runs were off."""

    is_steady: bool
    level_ratio: Range
    run_count: int
    configuration_count: int  # runs that are alike count as one
    median_error_before_ratio: float  # median of max(predicted/measured, measured/predicted)
    median_error_after_ratio: float
    median_error_left_out_ratio: float | None
    inside_before_share: float
    inside_after_share: float


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A row of throughput_rule.csv that own runs change, with what stood there before."""

    id: str
    before_ratio: Range
    after_ratio: Range
    source: str
    as_of: str
    note: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predictions before and after own runs moved them."""

    source: str
    runs: tuple[OwnRun, ...]
    levels: tuple[OwnLevel, ...]
    rows: tuple[RuleRow, ...]
    skipped: tuple[tuple[str, str], ...] = ()  # place, why it was passed over
    notes: tuple[str, ...] = ()
    written: str | None = None  # the file
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the equipment adds to a footprint; None where it has none of it, or it is not known."""

    name: str  # accelerators, host, network or cooling
    facility_energy_kwh: Range | None  # of the building's, what this part draws: parts add up to it
    operational_location_kgco2e: Range | None
    embodied_kgco2e: Range | None
    total_location_kgco2e: Range


@dataclass(frozen=True, slots=True)
class Answer:
    """A footprint and the parts that it adds up to."""

    footprint: Footprint
    parts: tuple[Part, ...]
    split: str  # how accelerators and their host are told apart


@dataclass(frozen=True, slots=True)
class CountPoint:
    """What a plan costs on so many accelerators."""

    accelerator_count: int
    accelerator_hours: Range
    wall_clock_h: Range | None
    facility_energy_kwh: Range
    total_location_kgco2e: Range
    rental_on_demand_usd: Range | None


@dataclass(frozen=True, slots=True)
class ByCount:
    """A plan on more and on fewer accelerators."""

    name: str
    accelerator: str
    accelerator_count: int | None  # the plan's own
    points: tuple[CountPoint, ...]
    is_third_party: bool = False
    notes: tuple[str, ...] = ()
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class PlaceFootprint:
    """What the same usage costs in one place."""

    zone: str
    iso3: str  # of the country that is the zone; empty for a part of one
    name: str
    provider: str  # empty where the place is no cloud's region
    region: str
    location_intensity_g_per_kwh: Range
    pue: Range
    operational_location_kgco2e: Range
    total_location_kgco2e: Range
    electricity_usd: Range | None
    rental_on_demand_usd: Range | None


@dataclass(frozen=True, slots=True)
class ByPlace:
    """One usage in many places, nothing else changed; by carbon, the least first."""

    name: str
    own_zone: str
    own_region: str
    facility_energy_kwh: Range  # where it was planned
    total_location_kgco2e: Range
    places: tuple[PlaceFootprint, ...]
    is_third_party: bool = False
    notes: tuple[str, ...] = ()
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class HourCell:
    """A zone's usual grid intensity in one hour of the day of one month, UTC."""

    month: int
    hour_utc: int
    location_intensity_g_per_kwh: float


@dataclass(frozen=True, slots=True)
class Profile:
    """When a zone's grid is clean: its usual intensity by month and hour, about its yearly one."""

    zone: str
    year: int
    location_intensity_g_per_kwh: float  # of the year
    cells: tuple[HourCell, ...]
    source: str
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A plan with some of its words changed; the middle of each answer, or its range where one is known."""

    inputs: tuple[tuple[str, float | str], ...]
    accelerator_hours: Range
    wall_clock_h: Range | None
    facility_energy_kwh: Range
    total_location_kgco2e: Range
    rental_on_demand_usd: Range | None
    fits: bool = True  # in memory, as far as that is known


@dataclass(frozen=True, slots=True)
class Scenarios:
    """A plan under many circumstances."""

    name: str
    inputs: tuple[str, ...]  # the words that change, the first along the horizontal axis
    scenarios: tuple[Scenario, ...]
    notes: tuple[str, ...] = ()
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class MeterSeries:
    """One meter's power over a run, in equal pieces of time; my share of it. Nothing was read where it is None."""

    host: str
    meter: Meter
    mean_w: tuple[float | None, ...]
    low_w: tuple[float | None, ...]
    high_w: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class WindowSeries:
    """Which share of each piece of time a run was inside windows of one name."""

    name: str
    inside_share: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RunSeries:
    """A run over time, thinned out for the eye: sums are the `Run`'s."""

    run_id: str
    name: str
    started_utc_s: float
    piece_s: float  # how long each piece of time is
    sample_count: int  # that were read
    meters: tuple[MeterSeries, ...]
    windows: tuple[WindowSeries, ...] = ()
    progress_share: tuple[float | None, ...] = ()  # done by the end of each piece, where that is known
    version: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one kind of equipment drew: accelerators, or the hosts about them."""

    name: str
    it_energy_kwh: Range


@dataclass(frozen=True, slots=True)
class JobsPart:
    """What some of many jobs cost: all of them, those of use, those that ended early, devices that were held idle."""

    name: str
    start_count: int
    accelerator_hours: float
    it_energy_kwh: Range
    facility_energy_kwh: Range
    operational_location_kgco2e: Range
    operational_market_kgco2e: Range | None = None
    electricity_usd: Range | None = None


@dataclass(frozen=True, slots=True)
class JobsRow:
    """The jobs of one group in one month, or all of them; of each job what lies inside the month."""

    group: str
    month: str  # "2026-10"; empty for all
    job_count: int  # a job that was started again is one
    whole: JobsPart
    drawn: tuple[Drawn, ...]
    useful: JobsPart  # the whole less what follows
    idle: JobsPart | None  # of jobs that ended well, accelerators with next to no use; None: nothing tells
    ended_early: tuple[JobsPart, ...]  # by the scheduler's state
    grade_share: tuple[tuple[str, float], ...]  # of the accelerators' energy, by its evidence
    billing_count: float | None = None  # units of the site's own
    charge_usd: float | None = None  # by the site's prices; electricity is not added


@dataclass(frozen=True, slots=True)
class JobsTable:
    """What a site's jobs cost, by group and month."""

    name: str  # of the cluster
    by: str
    started_utc_s: float
    ended_utc_s: float
    rows: tuple[JobsRow, ...]
    total: JobsRow
    site: Site
    currency: str
    currency_usd: float  # one of it
    billing_unit: str
    timezone: str = "UTC"  # where months begin
    skipped: tuple[tuple[str, str], ...] = ()  # where, and why it is in no row
    notes: tuple[str, ...] = ()
    ledger: tuple[Assumption, ...] = ()
    catalog_digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ProjectMonth:
    """What a project's runs of one month add up to."""

    month: str  # "2026-11", UTC
    project: str
    run_count: int
    facility_energy_kwh: Range
    operational_location_kgco2e: Range
    total_location_kgco2e: Range
    electricity_usd: Range | None


@dataclass(frozen=True, slots=True)
class History:
    """Many runs over months by project."""

    months: tuple[ProjectMonth, ...]
    run_count: int
    catalog_digest: str = ""
    version: str = ""
