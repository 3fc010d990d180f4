"""The values that every room hands to the next: frozen records without arithmetic.

A plan, samples or past metrics become a `Usage`; the assessor turns `Usage` and `Site` into a
`Footprint`; whatever shows, stores or exports reads only these. The unit is in a field's name
(`footprint.units.UNITS`), the boundary too (`it_`, `facility_`, `location_`, `market_`,
`operational_`, `embodied_`). Absent is None, never zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from footprint.errors import InputError

LOW_SHARE, HIGH_SHARE = 0.05, 0.95
"""The percentiles that a `Range` holds."""

ORIGINS = ("given", "catalog", "measured", "modelled", "default")

COMPONENTS = ("accelerator", "cpu", "ram", "node")
"""Of a meter: what is inside a host; `node` is the rest of it, fans, network cards and power supply."""

STATUSES = ("running", "finished", "failed", "stopped", "interrupted")
"""Of a run: `stopped` by its budget, `interrupted` when its journal ends without a word."""

STAGE_KINDS = (
    "pretrain", "long-context", "anneal", "sft", "lora", "reward",
    "preference", "rl", "synthetic", "distillation", "evaluation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Range:
    """5th percentile, plain calculation, 95th percentile. A certain quantity has all three equal."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if not (self.low <= self.mid <= self.high and math.isfinite(self.low) and math.isfinite(self.high)):
            raise InputError(
                "range", f"{self.low}:{self.mid}:{self.high}", "must be finite and rising", "write low:mid:high"
            )

    @classmethod
    def exactly(cls, value: float) -> Range:
        """A quantity without uncertainty."""
        return cls(value, value, value)


@dataclass(frozen=True, slots=True)
class Assumption:
    """One line of the ledger: what was used for a field, and where it came from."""

    field: str
    value: Range | float | str | None
    origin: str
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the derivation: a formula with its numbers put in."""

    part: str
    field: str
    equation: str
    inputs: tuple[tuple[str, float], ...]
    value: float
    reference: str


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How far an output moves when one input goes from its low to its high end."""

    field: str
    output: str
    output_at_low_ratio: float
    output_at_high_ratio: float


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a decoder-only transformer. Widths and counts; parameters are computed from it."""

    n_layers: int
    d_model: int
    d_ff: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab: int
    gated: bool = True
    tied: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    ffn_bias: bool = False
    head_bias: bool = False
    norm_bias: bool = False
    norms_per_layer: int = 2
    final_norm: bool = True
    qk_norm: str = ""  # "", "head" (one weight a head channel) or "full" (one a projected channel)
    embedding_norm: bool = False
    positions: int = 0
    relative_positions: bool = False  # a projection of relative positions in each layer (Transformer-XL)
    n_experts: int = 0
    experts_per_token: int = 0
    d_expert: int = 0
    n_shared_experts: int = 0
    d_shared_expert: int = 0
    shared_expert_gate: bool = False
    gated_experts: bool = True  # with `gated`: False where only the dense FFN has a gate
    n_dense_layers: int = 0
    moe_every: int = 1
    router_bias: bool = False
    q_rank: int = 0
    kv_rank: int = 0
    nope_dim: int = 0
    rope_dim: int = 0
    value_dim: int = 0
    window: int = 0
    window_every: int = 1  # one layer in so many is global; 1 with a window means all layers are windowed
    mtp_depth: int = 0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What the catalog says of a device, as NVML or its vendor counts devices."""

    id: str
    name: str
    vendor: str
    generation: str
    memory_gb: float
    tdp_w: float
    per_node: int
    peak_flop_per_s: tuple[tuple[str, float], ...]  # dense, by precision
    idle_w: float | None = None
    link_gb_per_s: float | None = None
    link_domain_count: int | None = None  # devices that the link joins, where more than a node's
    memory_bandwidth_gb_per_s: float | None = None
    embodied_kgco2e: Range | None = None
    launch_price_usd: float | None = None
    released: str = ""
    form_factor: str = ""
    provenance: str = ""
    source: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A server or instance that carries accelerators."""

    id: str
    name: str
    accelerator: str
    accelerator_count: int
    max_w: float
    idle_w: float
    training_w: float | None = None
    embodied_host_kgco2e: float | None = None
    network_gbit_per_s: float | None = None
    provenance: str = ""
    source: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Power:
    """What one accelerator and its share of node and network draw; watts per accelerator."""

    tdp_w: Range
    idle_node_w: Range
    max_node_w: Range
    training_load_share: Range | None  # None: it follows from the MFU
    half_load_mfu: Range
    generation_load_share: Range
    stalled_load_share: Range
    network_w: Range


@dataclass(frozen=True, slots=True)
class Layout:
    """How a model is spread over devices, and what a step spends its time on."""

    tensor: int
    pipeline: int
    context: int
    expert: int
    data: int
    zero_stage: int
    micro_batch: int  # sequences
    micro_batches: int  # of a replica in a step
    chunks: int  # groups of layers that a pipeline stage interleaves
    recomputed_share: float  # of the layers
    memory_gb: float
    fits: bool
    step_s: float
    time_shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a training plan. What is None is filled by `estimation.plan` and told in the ledger."""

    name: str
    kind: str
    accelerator: str
    precision: str
    after: tuple[str, ...] | None = None  # None: after the stage listed before; empty: from the start
    architecture: Architecture | None = None
    params: Range | None = None
    active_params: Range | None = None
    tokens: Range | None = None
    repeats_count: float = 1.0
    seq_len: int | None = None
    accelerator_count: int | None = None
    training_flop: Range | None = None
    accelerator_hours: Range | None = None
    mfu: Range | None = None
    goodput: Range | None = None
    generation_mfu: Range | None = None
    steady_mfu: Range | None = None
    batch_tokens: float | None = None
    layout: Layout | None = None
    optimizer: str = "adamw"
    reference_passes_count: float = 0.0
    teacher_params: Range | None = None
    reward_params: Range | None = None
    value_params: Range | None = None
    samples_per_prompt_count: float = 1.0
    inner_epochs_count: float = 1.0
    kept_share: Range = Range(1.0, 1.0, 1.0)
    peak_flop_per_s: float = 0.0
    power: Power | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be trained: a graph of stages on named hardware."""

    name: str
    stages: tuple[Stage, ...]
    model: str | None = None
    organization: str | None = None
    third_party: bool = False
    accelerator_hours: Range | None = None
    development_ratio: Range | None = None  # hours before the final run over those of the run


@dataclass(frozen=True, slots=True)
class Rates:
    """What one accelerator-hour carries beside energy, for one kind of accelerator on this site."""

    accelerator: str
    embodied_accelerator_kgco2e: Range
    embodied_host_kgco2e: Range
    on_demand_usd_per_h: Range | None = None
    spot_usd_per_h: Range | None = None
    reserved_1y_usd_per_h: Range | None = None
    reserved_3y_usd_per_h: Range | None = None
    capital_usd_per_h: Range | None = None
    launch_price_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Where it runs: grid, facility, prices."""

    zone: str
    pue: Range
    location_intensity_g_per_kwh: Range
    intensity_basis: str
    intensity_scope: str
    wue_l_per_kwh: Range
    water_intensity_l_per_kwh: Range
    lifetime_h: Range
    fleet_utilization: Range
    server_cost_ratio: Range
    network_cost_share: Range
    depreciation_share: Range
    region: str | None = None
    market_intensity_g_per_kwh: Range | None = None
    electricity_usd_per_kwh: Range | None = None
    rates: tuple[Rates, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one stage, segment or job used on one kind of accelerator."""

    name: str
    accelerator: str
    accelerator_hours: Range
    nameplate_energy_kwh: Range
    it_energy_kwh: Range
    kind: str = ""
    accelerator_count: int | None = None
    wall_clock_h: Range | None = None
    training_flop: Range | None = None
    tokens: Range | None = None
    mfu: Range | None = None
    goodput: Range | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The meeting point of plans, samples and past metrics: hours and IT energy."""

    lines: tuple[UsageLine, ...]
    accelerator_hours: Range
    it_energy_kwh: Range
    nameplate_energy_kwh: Range
    wall_clock_h: Range | None = None
    training_flop: Range | None = None
    update_flop: Range | None = None
    tokens: Range | None = None
    coverage_share: float | None = None


@dataclass(frozen=True, slots=True)
class Impact:
    """What one energy convention (`facility` or `model-card`) makes of a usage on a site."""

    convention: str
    it_energy_kwh: Range
    facility_energy_kwh: Range
    operational_location_kgco2e: Range
    onsite_water_l: Range
    offsite_water_l: Range
    operational_market_kgco2e: Range | None = None
    electricity_usd: Range | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What the makers of a model stated; shown beside an estimate, never used in one."""

    run_id: str
    model: str
    accelerator_hours: float | None
    energy_kwh: float | None
    energy_basis: str
    energy_boundary: str
    location_kgco2e: float | None
    source: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Footprint:
    """The answer: what a usage on a site costs, with how it was derived and from what."""

    name: str
    usage: Usage
    site: Site
    facility: Impact
    model_card: Impact
    embodied_kgco2e: Range
    total_location_kgco2e: Range
    rental_on_demand_usd: Range | None = None
    rental_spot_usd: Range | None = None
    rental_reserved_1y_usd: Range | None = None
    rental_reserved_3y_usd: Range | None = None
    ownership_usd: Range | None = None
    sci_kgco2e_per_token: Range | None = None
    sci_kgco2e_per_flop: Range | None = None
    plan: Plan | None = None
    published: tuple[Published, ...] = ()
    parts: tuple[Footprint, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    steps: tuple[Step, ...] = ()
    ledger: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = field(default=())
    catalog_digest: str = ""
    version: str = ""
    words: str = field(default="", compare=False)  # JSON of the words that it was estimated from, to start again


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
class Finding:
    """What a sensor says of this machine: whether it can measure here, and the line that would let it."""

    sensor: str
    is_available: bool
    told: str  # what it sees, or why it sees nothing
    fix: str = ""  # what to do about it; empty where there is nothing to do


@dataclass(frozen=True, slots=True)
class Meter:
    """What a sensor reads: a device, or a part of the host. Told once in a journal."""

    id: str  # unique on its host: a UUID, "package-0", "dram-0", "cpu", "ram", "node"
    component: str  # accelerator, cpu, ram or node
    name: str  # as driver or host calls it
    sensor: str
    scope: str  # gpu, module, package, dram or node
    origin: str  # measured, modelled or default
    source: str = ""
    has_counter: bool = False  # energy is counted; otherwise power is integrated
    period_s: float | None = None  # a reading changes so often
    window_s: float | None = None  # a reading of power is the mean over so long; None: since the reading before it
    idle_w: float | None = None  # less it does not draw while it is on
    max_w: float | None = None  # more it cannot draw
    wraps_at_j: float | None = None
    true_over_read_ratio: Range = Range(1.0, 1.0, 1.0)  # the sensor's own error, or the model's
    share: float = 1.0  # mine of it: slices of a device, cores of a socket
    memory_gb: float | None = None  # of an accelerator
    counted_in: str = ""  # another run that counts it already
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a meter showed. Its counter may be as old as `stale_s`, whatever it shows."""

    meter: str
    at_s: float  # monotonic
    energy_j: float | None = None  # since some start: differences alone mean something
    power_w: float | None = None
    utilization: float | None = None
    attributed_share: float | None = None  # of what it draws, by processes of this run; None: alone, or not known
    stale_s: float | None = None  # None: not known, at most the meter's period


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval in which a meter was not measured."""

    started_utc_s: float
    ended_utc_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class MeterUsage:
    """What one meter's samples add up to over a run."""

    host: str
    meter: Meter
    it_energy_kwh: Range  # my share of it
    duration_s: float
    coverage_share: float
    mean_w: float | None = None
    peak_w: float | None = None
    stalled_it_energy_kwh: float | None = None  # drawn while utilization was next to nothing
    attributed_it_energy_kwh: Range | None = None  # by processes of this run, on a device that others use too
    counter_over_power_ratio: float | None = None  # the audit: counted over integrated energy
    resets_count: int = 0
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowUsage:
    """All windows of one name, nested ones under the names around them: "epoch/step"."""

    name: str
    window_count: int
    duration_s: float
    it_energy_kwh: Range


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is; totals are None where nobody told them."""

    steps_count: float = 0.0
    tokens: float = 0.0
    epochs_count: float = 0.0
    total_steps_count: float | None = None
    total_tokens: float | None = None
    total_epochs_count: float | None = None
    training_flop: float | None = None  # done so far, where a framework counts it


@dataclass(frozen=True, slots=True)
class Segment:
    """One start of a run on one host, from its first to its last sample."""

    host: str
    restart_count: int
    started_utc_s: float
    ended_utc_s: float
    status: str  # running, finished, failed, stopped or interrupted
    progress: Progress
    it_energy_kwh: Range
    wasted_it_energy_kwh: Range | None = None  # spent on steps that a later segment did again


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will have cost when it is done."""

    done_share: float
    ended_utc_s: Range
    facility_energy_kwh: Range
    operational_location_kgco2e: Range
    electricity_usd: Range | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A measured run, as far as its journals tell."""

    id: str
    name: str
    status: str  # running, finished, failed, stopped or interrupted
    started_utc_s: float
    ended_utc_s: float
    usage: Usage
    footprint: Footprint
    project: str = ""
    tags: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    evidence: str = ""  # A to D, the better the sooner: how well its energy is known; empty where nobody graded it
    meters: tuple[MeterUsage, ...] = ()
    windows: tuple[WindowUsage, ...] = ()
    segments: tuple[Segment, ...] = ()
    progress: Progress = Progress()
    mfu: float | None = None
    wasted_it_energy_kwh: Range | None = None
    stalled_it_energy_kwh: float | None = None
    hourly_it_energy_kwh: tuple[tuple[int, float], ...] = ()  # start of the hour in UTC seconds, energy in it
    planned: Footprint | None = None
    notes: tuple[str, ...] = ()
    journals: tuple[str, ...] = ()  # the files that it rests on
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
