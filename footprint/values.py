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
