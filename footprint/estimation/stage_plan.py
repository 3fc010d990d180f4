"""One stage of a plan from its words: what is given, what a preset says, what is filled in; each told in the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from footprint.catalog import Catalog
from footprint.catalog.peaks import peak_flop_per_s, reference_peak
from footprint.errors import InputError, UnknownName
from footprint.estimation import architecture as shape
from footprint.estimation import words as read
from footprint.estimation.hf_config import read_config
from footprint.estimation.power import stage_power
from footprint.estimation.reached import Circumstances, assumptions, check_layout, read_layout, setting_of_stage
from footprint.throughput.own_runs import KEPT_ROW, STEADY_ROW, with_own_source
from footprint.throughput.rule import Throughput, predict, rule_of
from footprint.units import read_range
from footprint.values import STAGE_KINDS, Accelerator, Architecture, Assumption, Range, Stage

CHINCHILLA_FLOP_RATIO = 120.0
"""C = 6 N D with D = 20 N: Hoffmann et al. 2022, arXiv 2203.15556; sizes a model of which only FLOP are known."""

USUAL_OPTIMIZER = "adamw"
"""The leanest layout of Adam in mixed precision, so that only what certainly cannot fit is refused."""

DECODING = ("rl", "synthetic")
"""Kinds that generate token by token."""
REFERENCED = ("preference", "rl")
"""Kinds that run a frozen reference model beside the policy."""

PREDICTED = ("mfu", "goodput", "generation_mfu")
"""What the throughput model gives a stage, unless it is given."""
SOURCES: dict[str, Callable[[Throughput], tuple[str, str]]] = {
    "mfu": lambda found: ("throughput_rule.csv", found.note),
    "goodput": lambda found: ("constants.csv", "failures, checkpoints at Daly's interval, restarts, evaluation"),
    "generation_mfu": lambda found: ("constants.csv", "decoding is bound by memory"),
}
"""Source and note of each."""
MOVED = {"mfu": (STEADY_ROW, KEPT_ROW), "steady_mfu": (STEADY_ROW,)}
"""Rows of the rule that own runs may have moved, and what they move."""

Model = tuple[Architecture | None, Range | None, Range | None]
"""Architecture, parameters, active parameters: each None where unknown."""

WORDS = (
    "name", "kind", "after", "tokens", "seq_len", "repeats", "precision", "accelerator", "count", "flop",
    "accelerator_hours", "mfu", "goodput", "generation_mfu", "optimizer", "reference_passes", "teacher_params",
    "reward_params", "value_params", "samples_per_prompt", "inner_epochs", "kept_share", "params", "active_params",
    "config", "node", "batch_tokens", "layout", "framework",
)  # fmt: skip
KINDS_BY_METHOD = {
    "dpo": "preference", "ipo": "preference", "kto": "preference", "orpo": "preference", "simpo": "preference",
    "ppo": "rl", "grpo": "rl", "rlhf": "rl", "qlora": "lora", "finetune": "sft",
}  # fmt: skip
"""What people call a stage, by the kind that it is."""
TOLD = (
    "accelerator", "precision", "accelerator_hours", "tokens", "seq_len", "repeats", "count", "optimizer",
    "reference_passes", "teacher_params", "reward_params", "value_params", "samples_per_prompt", "inner_epochs",
    "kept_share", "batch_tokens", "framework",
)  # fmt: skip
"""Words that go into the ledger as they stand."""
NAMES = ("accelerator", "precision", "optimizer", "framework")
"""Those of them that are text."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The words of a stage, and which of them come from a preset's row (`note` says which row)."""

    words: Mapping[str, Any]
    preset_words: frozenset[str] = frozenset()
    source: str = ""
    note: str = ""


def stage_model(words: Mapping[str, Any]) -> tuple[Model, Assumption, str, list[str]] | None:
    """The model that `config` or `params` describe, its ledger line, its name and its notes; None where neither is.

    Raises
    ------
    InputError
        When both are given, or active parameters exceed all.
    """
    if "config" in words:
        if "params" in words:
            raise InputError("params", words["params"], "contradicts config", "give one of the two")
        config = read_config(words["config"])
        unknown = ", ".join(config.unknown_fields)
        notes = [f"config fields not understood and left out: {unknown}"] if unknown else []
        named = config.name or config.model_type
        return of_shape(config.architecture), Assumption("architecture", named, "given", "config"), named, notes
    if "params" not in words:
        return None
    total = read.ranged("params", words["params"])
    active = read.ranged("active_params", words["active_params"]) if "active_params" in words else total
    if active.high > total.high:
        raise InputError(
            "active_params", words["active_params"], f"must not exceed params ({total.high:g})", "swap them"
        )
    told = Assumption("params", total, "given", "user", "FLOP by 6 N D: no architecture given")
    return (None, total, active), told, "", []


def of_shape(found: Architecture) -> Model:
    """An architecture with the parameters counted from it."""
    return found, Range.exactly(float(shape.params(found))), Range.exactly(float(shape.active_params(found)))


@dataclass(slots=True)
class StageBuilder:
    """Builds the stages of one plan; every gap that it fills goes into the ledger."""

    catalog: Catalog
    model: Model
    name: str
    settings: Mapping[str, Range]
    year: int | None
    node: str | None
    provider: str | None
    framework: str | None
    layout: Any
    hours_known: bool
    hours_shared: bool
    is_preset: bool
    ledger: list[Assumption] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def stage(self, spec: Spec) -> Stage:
        """One stage.

        Raises
        ------
        InputError, UnknownName
            For a word that is unknown, impossible, missing or in contradiction with another.
        """
        words = spec.words
        kind, name = _kind_and_name(words)
        accelerator = self._accelerator(words)
        precision = self._precision(name, words, accelerator)
        built, total, active = self._model(words)
        stage = Stage(
            name=name,
            kind=kind,
            accelerator=accelerator.id,
            precision=precision,
            after=_names(words.get("after")),
            architecture=built,
            params=total,
            active_params=active,
            tokens=_range(words, "tokens"),
            repeats_count=read.quantity("repeats", words.get("repeats", 1.0)),
            seq_len=read.whole("seq_len", words["seq_len"]) if "seq_len" in words else None,
            accelerator_count=read.whole("count", words["count"]) if "count" in words else None,
            training_flop=_range(words, "flop"),
            accelerator_hours=_range(words, "accelerator_hours"),
            batch_tokens=read.quantity("batch_tokens", words["batch_tokens"]) if "batch_tokens" in words else None,
            optimizer=self._optimizer(name, words),
            reference_passes_count=read.quantity(
                "reference_passes", words.get("reference_passes", float(kind in REFERENCED)), 0.0
            ),
            teacher_params=_range(words, "teacher_params"),
            reward_params=_range(words, "reward_params"),
            value_params=_range(words, "value_params"),
            samples_per_prompt_count=read.quantity("samples_per_prompt", words.get("samples_per_prompt", 1.0), 1.0),
            inner_epochs_count=read.quantity("inner_epochs", words.get("inner_epochs", 1.0), 1.0),
            kept_share=read.ranged("kept_share", words.get("kept_share", 1.0)),
            peak_flop_per_s=peak_flop_per_s(accelerator, precision),
        )
        self._tell_words(stage, spec)
        stage = self._with_seq_len(stage)
        self._check(stage, words)
        return self._with_power(self._with_throughput(stage, words, accelerator), words, accelerator)

    def _tell(self, name: str, value: Range | float | str | None, origin: str, source: str, note: str = "") -> None:
        self.ledger.append(Assumption(name, value, origin, source, note))

    def _tell_words(self, stage: Stage, spec: Spec) -> None:
        told: dict[str, Range | str] = {
            word: str(spec.words[word]) if word in NAMES else _plain_range(word, spec.words[word])
            for word in TOLD
            if word in spec.words
        }
        if stage.training_flop is not None:
            told["flop"] = stage.training_flop
        for word, value in told.items():
            preset = word in spec.preset_words
            origin, source = ("catalog", spec.source) if preset else ("given", "user")
            name = "training_flop" if word == "flop" else word
            self._tell(f"{stage.name}.{name}", value, origin, source, spec.note if preset else "")
        if stage.kind in REFERENCED and "reference_passes" not in spec.words:
            passes = Range.exactly(stage.reference_passes_count)
            self._tell(f"{stage.name}.reference_passes", passes, "default", "arXiv 2305.18290", "one reference model")

    def _model(self, words: Mapping[str, Any]) -> Model:
        own = stage_model(words)
        if own is None:
            return self.model
        model, told, _, notes = own
        self.ledger.append(told)
        self.notes += notes
        return model

    def _accelerator(self, words: Mapping[str, Any]) -> Accelerator:
        name = words.get("accelerator")
        if name is None:
            missing = f"is not published for {self.name}" if self.is_preset else "is missing"
            raise InputError("accelerator", None, missing, "give one, such as --accelerator h100-sxm")
        return self.catalog.accelerator(read.name("accelerator", name))

    def _precision(self, name: str, words: Mapping[str, Any], accelerator: Accelerator) -> str:
        reference, _ = reference_peak(accelerator)
        precision = read.name("precision", words.get("precision", reference))
        peak = peak_flop_per_s(accelerator, precision)
        if "precision" not in words:
            self._tell(f"{name}.precision", precision, "default", accelerator.id, "the device's 16-bit precision")
        note = f"{accelerator.name}, {precision}, dense; {accelerator.provenance}"
        self._tell(f"{name}.peak_flop_per_s", peak, "catalog", accelerator.source, note)
        return precision

    def _optimizer(self, name: str, words: Mapping[str, Any]) -> str:
        if "optimizer" in words:
            return str(self.catalog.optimizer(read.name("optimizer", words["optimizer"]))["id"])
        row = self.catalog.optimizer(USUAL_OPTIMIZER)
        self._tell(f"{name}.optimizer", USUAL_OPTIMIZER, "default", str(row["source"]), "decides only what fits")
        return USUAL_OPTIMIZER

    def _with_seq_len(self, stage: Stage) -> Stage:
        if stage.seq_len is not None or stage.architecture is None or stage.tokens is None:
            return stage
        usual = self.catalog.constant("seq_len").mid
        self._tell(f"{stage.name}.seq_len", usual, "default", "constants.csv", "give --seq-len")
        return replace(stage, seq_len=int(usual))

    def _check(self, stage: Stage, words: Mapping[str, Any]) -> None:
        hours_known = self.hours_known or stage.accelerator_hours is not None
        if not hours_known and not (stage.training_flop or (stage.tokens and stage.params)):
            missing = "tokens" if stage.params else "params"
            fix = f"give --{missing}, or --flop, or --accelerator-hours"
            raise InputError(missing, None, f"is missing for stage {stage.name}", fix)
        if self.hours_known and stage.accelerator_hours is not None:
            raise InputError("accelerator_hours", None, f"is given for the plan and for {stage.name}", "give it once")
        if hours_known and ("mfu" in words or "mfu" in self.settings):
            raise InputError("mfu", None, "is given beside accelerator_hours, which imply it", "give one of the two")

    def _with_throughput(self, stage: Stage, words: Mapping[str, Any], accelerator: Accelerator) -> Stage:
        size = stage.active_params.mid if stage.active_params else self._size_from_flop(stage)
        framework = words.get("framework", self.framework)
        how = Circumstances(self.year, None if framework is None else read.name("framework", framework), self.node)
        fixed = read_layout(words.get("layout", self.layout) or {})
        check_layout(stage, fixed)
        setting, told = setting_of_stage(stage, size, accelerator, how, self.catalog)
        predicted = predict(setting, accelerator, stage.precision, fixed, self.catalog)
        hours_known = self.hours_known or stage.accelerator_hours is not None
        given = {name for name in PREDICTED if name in words or name in self.settings}
        unused = {"mfu", "generation_mfu"} if hours_known else set()
        unused |= set() if stage.kind in DECODING else {"generation_mfu"}
        if "mfu" not in given | unused:
            self._tell_layout(stage, fixed, told, predicted)
        values: dict[str, Range] = {}
        for name in PREDICTED:
            if name in given:
                values[name] = self.settings.get(name) or read.ranged(name, words[name])
                self._tell(f"{stage.name}.{name}", values[name], "given", "user")
                continue
            values[name] = getattr(predicted, name)
            if name in unused and self.hours_shared and (name == "mfu" or stage.kind in DECODING):
                note = "used only to share out the known hours over the stages"
                self._tell(f"{stage.name}.modelled_{name}", values[name], "modelled", "throughput_rule.csv", note)
            elif name not in unused:
                source, note = with_own_source(*SOURCES[name](predicted), self.catalog, MOVED.get(name, ()))
                self._tell(f"{stage.name}.{name}", values[name], "modelled", source, note)
        if "mfu" in given | unused:
            return replace(stage, **values)  # type: ignore[arg-type]
        return replace(stage, steady_mfu=predicted.steady_mfu, layout=predicted.layout, **values)  # type: ignore[arg-type]

    def _tell_layout(self, stage: Stage, fixed: Mapping[str, float], told: list[Any], predicted: Throughput) -> None:
        self.ledger += assumptions(stage, told)
        for name, value in fixed.items():
            self._tell(f"{stage.name}.layout.{name}", value, "given", "user")
        note = "well tuned, on the layout found: what the run keeps of it is in mfu"
        source, note = with_own_source("throughput_rule.csv", note, self.catalog, MOVED["steady_mfu"])
        self._tell(f"{stage.name}.steady_mfu", predicted.steady_mfu, "modelled", source, note)
        if not predicted.is_measured:
            self.notes.append(predicted.note)
        if not predicted.layout.fits and stage.accelerator_count is not None:
            self.notes.append(
                f"{stage.name}: no layout that was searched fits in memory with Adam's states on the devices "
                f"({predicted.layout.memory_gb:,.0f} GiB each): its MFU is that of states kept elsewhere"
            )

    def _size_from_flop(self, stage: Stage) -> float:
        if stage.training_flop is None:
            return rule_of(self.catalog).known("small_params").mid
        size = math.sqrt(stage.training_flop.mid / CHINCHILLA_FLOP_RATIO)
        self._tell(
            f"{stage.name}.active_params", size, "modelled", "arXiv 2203.15556",
            "size unknown: the compute-optimal one of this FLOP, used for MFU alone",
        )  # fmt: skip
        return size

    def _with_power(self, stage: Stage, words: Mapping[str, Any], accelerator: Accelerator) -> Stage:
        node = words.get("node", self.node)
        power, ledger = stage_power(
            stage, accelerator, None if node is None else str(node), self.provider, self.settings, self.catalog
        )
        self.ledger += ledger
        return replace(stage, power=power)


def _kind_and_name(words: Mapping[str, Any]) -> tuple[str, str]:
    for word in words:
        if word not in WORDS:
            raise UnknownName("stage word", word, WORDS, "known: " + ", ".join(WORDS))
    kind = read.name("kind", words.get("kind", "pretrain"))
    kind = KINDS_BY_METHOD.get(kind.lower(), kind)
    if kind not in STAGE_KINDS:
        raise UnknownName("kind", kind, STAGE_KINDS, "known: " + ", ".join(STAGE_KINDS))
    return kind, read.name("name", words.get("name", kind))


def _plain_range(word: str, value: Any) -> Range:
    return value if isinstance(value, Range) else Range(*read_range(value, word))


def _range(words: Mapping[str, Any], word: str) -> Range | None:
    return read.ranged(word, words[word]) if word in words else None


def _names(value: Any) -> tuple[str, ...] | None:
    """Stages to wait for; None where nothing is said, empty to start at once."""
    if value is None:
        return None
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise InputError("after", str(value), "must name stages", "write `after: pretrain` or `after: [sft, rl]`")
    return tuple(read.name("after", v) for v in value)
