"""Names and gaps become a `Plan`: what is trained on what, and what we assume when told nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from footprint.accounting.site import SiteWords
from footprint.catalog import Catalog, Row
from footprint.errors import InputError, UnknownName
from footprint.estimation import architecture as shape
from footprint.estimation import words as read
from footprint.estimation.hf_config import read_config
from footprint.estimation.power import stage_power
from footprint.estimation.presets import preset_rows, published_run, stage_words
from footprint.throughput import rule
from footprint.values import (
    STAGE_KINDS,
    Accelerator,
    Architecture,
    Assumption,
    Plan,
    Power,
    Published,
    Range,
    Stage,
)

CHINCHILLA_FLOP_RATIO = 120.0
"""C = 6 N D with D = 20 N: Hoffmann et al. 2022, arXiv 2203.15556; sizes a model of which only FLOP are known."""

UNNAMED = "plan"

STAGE_WORDS = (
    "name", "kind", "after", "tokens", "seq_len", "repeats", "precision", "accelerator", "count", "batch_tokens",
    "flop", "accelerator_hours", "mfu", "goodput", "generation_mfu", "optimizer", "reference_passes",
    "teacher_params", "reward_params", "value_params", "samples_per_prompt", "inner_epochs", "kept_share",
    "params", "active_params", "config", "node",
)  # fmt: skip


@dataclass(slots=True)
class Draft:
    """A plan with what was assumed for it and what the user must be told."""

    plan: Plan
    site_words: SiteWords
    ledger: list[Assumption] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)


def drafts(subject: Any, given: Mapping[str, Any], catalog: Catalog) -> tuple[str, list[Draft]]:
    """The name of the answer and one draft per model: several for a family.

    Raises
    ------
    InputError, UnknownName
        For words that no plan can be made of, each naming the field and the fix.
    """
    words = dict(given)
    name = str(words.get("name") or UNNAMED)
    if isinstance(subject, Mapping):
        words = {**subject, **words}
    elif subject is not None and _is_plan_file(subject):
        words = {**read.read_plan_file(Path(subject)), **words}
        name = str(words.get("name") or Path(subject).stem)
    elif subject is not None:
        words["model"] = str(subject)
    read.check_words(words)
    model = words.get("model")
    if model is None:
        built = _Builder(words, None, name, catalog).draft()
        return built.plan.name, [built]
    rows = preset_rows(str(model), catalog)
    if len(rows) > 1:
        _refuse_family_words(str(model), words)
    members = [_Builder(words, row, str(row["id"]), catalog).draft() for row in rows]
    return (str(words["name"]) if words.get("name") else str(model)), members


def _refuse_family_words(name: str, words: Mapping[str, Any]) -> None:
    for word in ("params", "active_params", "tokens", "config", "flop", "stages", "accelerator_hours"):
        if word in words:
            raise InputError(word, words[word], f"{name} is a family of models", "name one of them")


def _is_plan_file(subject: Any) -> bool:
    return isinstance(subject, Path) or str(subject).endswith((".yaml", ".yml", ".json"))


class _Builder:
    """Builds one draft; every gap that it fills goes into the ledger."""

    def __init__(self, words: Mapping[str, Any], preset: Row | None, name: str, catalog: Catalog) -> None:
        self.words, self.preset, self.name, self.catalog = words, preset, name, catalog
        self.ledger: list[Assumption] = []
        self.notes: list[str] = []
        self.settings = read.settings(words.get("settings"))
        self.year = self._year()
        self.architecture, self.params, self.active = self._model()

    def draft(self) -> Draft:
        site_words = self._site_words()
        published = self._published()
        stages = tuple(self._stage(spec, site_words.provider) for spec in self._specs())
        if len({s.name for s in stages}) < len(stages):
            raise InputError("stages", ", ".join(s.name for s in stages), "share a name", "name each stage differently")
        _check_order(stages)
        third_party = bool(self.preset and self.preset["closed"] == "yes")
        if third_party:
            self.notes.append(f"{self.name}: its makers publish no compute; this is a third-party estimate")
        if self.preset and self.preset["caution"]:
            self.notes.append(str(self.preset["caution"]))
        plan = Plan(
            name=self.name,
            stages=stages,
            model=str(self.preset["id"]) if self.preset else None,
            organization=str(self.preset["organization"]) if self.preset else None,
            third_party=third_party,
            accelerator_hours=self._hours(published),
        )
        return Draft(plan, site_words, self.ledger, _unique(self.notes), published)

    def _tell(self, name: str, value: Range | float | str | None, origin: str, source: str, note: str = "") -> None:
        self.ledger.append(Assumption(name, value, origin, source, note))

    def _year(self) -> int | None:
        """When it trains: as said, else when the preset was released, else now (None)."""
        if "year" in self.words:
            return read.whole("year", self.words["year"])
        released = self.preset["released"] if self.preset else None
        return int(str(released)[:4]) if released else None

    # the model

    def _model(self) -> tuple[Architecture | None, Range | None, Range | None]:
        if "config" in self.words:
            if "params" in self.words:
                raise InputError("params", self.words["params"], "contradicts --config", "give one of the two")
            config = read_config(self.words["config"])
            if config.unknown_fields:
                self.notes.append(f"config fields not understood and left out: {', '.join(config.unknown_fields)}")
            self._tell("architecture", config.model_type, "given", "config", config.name or "")
            self.name = self.name if self.name != UNNAMED else config.name or config.model_type
            return self._of_shape(config.architecture)
        if "params" in self.words:
            return self._of_params(self.words)
        if self.preset is None:
            return None, None, None
        found = shape.read_row(self.preset)
        source = str(self.preset["source"])
        if found is not None:
            self._tell("architecture", str(self.preset["id"]), "catalog", source, str(self.preset["provenance"]))
            return self._of_shape(found)
        if self.preset["params"] is None:
            return None, None, None
        total = Range.exactly(float(self.preset["params"]))
        active = self.preset["active_params"]
        self._tell("params", total, "catalog", source, str(self.preset["provenance"]))
        return None, total, Range.exactly(float(active)) if active else total

    def _of_shape(self, found: Architecture) -> tuple[Architecture, Range, Range]:
        total = Range.exactly(float(shape.params(found)))
        return found, total, Range.exactly(float(shape.active_params(found)))

    def _of_params(self, words: Mapping[str, Any]) -> tuple[None, Range, Range]:
        total = read.ranged("params", words["params"])
        active = read.ranged("active_params", words["active_params"]) if "active_params" in words else total
        if active.high > total.high:
            raise InputError(
                "active_params", words["active_params"], f"must not exceed params ({total.high:g})", "swap the two"
            )
        self._tell("params", total, "given", "user", "FLOP by 6 N D: no architecture given")
        return None, total, active

    # the stages

    def _specs(self) -> list[dict[str, Any]]:
        words = self.words
        if {"flop", "params", "tokens"} <= set(words):
            raise InputError("flop", words["flop"], "contradicts params with tokens", "give the one or the other")
        common = {k: words[k] for k in ("accelerator", "count", "precision", "optimizer", "batch_tokens") if k in words}
        if "stages" in words:
            stages = words["stages"]
            if not isinstance(stages, list) or not stages or not all(isinstance(s, Mapping) for s in stages):
                raise InputError("stages", str(stages)[:60], "must be a list of mappings", "write `- kind: pretrain`")
            specs = [{**common, **dict(s)} for s in stages]
        elif self.preset is not None and not {"tokens", "flop"} & set(words):
            specs = [{**self._preset_spec(r), **common} for r in self._preset_stages()]
        else:
            specs = [{**self._first_preset_device(), **common}]
            specs[0].update({k: words[k] for k in ("tokens", "flop") if k in words})
        for spec in specs:
            if "seq_len" in words and len(specs) == 1:
                spec["seq_len"] = words["seq_len"]
            elif "seq_len" in words:
                spec.setdefault("seq_len", words["seq_len"])
        if "accelerator_hours" in words and len(specs) == 1 and "tokens" not in specs[0] and "flop" not in specs[0]:
            specs[0]["accelerator_hours"] = words["accelerator_hours"]
        return specs

    def _preset_stages(self) -> list[Row]:
        assert self.preset is not None
        rows = [r for r in self.catalog.rows("stages") if r["model"] == self.preset["id"]]
        if not rows:
            raise InputError("model", str(self.preset["id"]), "has no published tokens", "give --tokens")
        return rows

    def _first_preset_device(self) -> dict[str, Any]:
        if self.preset is None:
            return {}
        spec = self._preset_spec(self._preset_stages()[0])
        return {k: spec[k] for k in ("accelerator", "count", "precision") if k in spec}

    def _preset_spec(self, row: Row) -> dict[str, Any]:
        spec = stage_words(row)
        for word in ("tokens", "flop"):
            if word in spec:
                value = read.ranged(word, spec[word])
                self._tell(
                    f"{row['stage']}.{'training_flop' if word == 'flop' else word}", value, "catalog",
                    str(row["source"]), str(row["provenance"]) + (f"; {row['note']}" if row["note"] else ""),
                )  # fmt: skip
        return spec

    def _stage(self, spec: Mapping[str, Any], provider: str | None) -> Stage:
        for word in spec:
            if word not in STAGE_WORDS:
                raise UnknownName("stage word", word, STAGE_WORDS, "known: " + ", ".join(STAGE_WORDS))
        kind = str(spec.get("kind", "pretrain"))
        if kind not in STAGE_KINDS:
            raise UnknownName("kind", kind, STAGE_KINDS, "known: " + ", ".join(STAGE_KINDS))
        name = str(spec.get("name", kind))
        accelerator = self._accelerator(spec)
        precision = self._precision(spec, accelerator)
        peak = rule.peak_flop_per_s(accelerator, precision)
        told = f"{accelerator.name}, {precision}, dense; {accelerator.provenance}"
        self._tell(f"{name}.peak_flop_per_s", peak, "catalog", accelerator.source, told)
        built, total, active = self._stage_model(spec)
        stage = Stage(
            name=name,
            kind=kind,
            accelerator=accelerator.id,
            precision=precision,
            after=_names(spec.get("after")),
            architecture=built,
            params=total,
            active_params=active,
            tokens=self._stage_range(spec, "tokens"),
            repeats_count=read.quantity("repeats", spec.get("repeats", 1.0)),
            seq_len=read.whole("seq_len", spec["seq_len"]) if "seq_len" in spec else None,
            accelerator_count=read.whole("count", spec["count"]) if "count" in spec else None,
            batch_tokens=read.quantity("batch_tokens", spec["batch_tokens"]) if "batch_tokens" in spec else None,
            training_flop=read.ranged("flop", spec["flop"]) if "flop" in spec else None,
            accelerator_hours=self._stage_range(spec, "accelerator_hours"),
            optimizer=str(self.catalog.optimizer(str(spec.get("optimizer", "adamw")))["id"]),
            reference_passes_count=read.quantity("reference_passes", spec.get("reference_passes", _passes(kind)), 0.0),
            teacher_params=self._stage_range(spec, "teacher_params"),
            reward_params=self._stage_range(spec, "reward_params"),
            value_params=self._stage_range(spec, "value_params"),
            samples_per_prompt_count=read.quantity("samples_per_prompt", spec.get("samples_per_prompt", 1.0), 1.0),
            inner_epochs_count=read.quantity("inner_epochs", spec.get("inner_epochs", 1.0), 1.0),
            kept_share=read.ranged("kept_share", spec.get("kept_share", 1.0)).mid,
            peak_flop_per_s=peak,
        )
        stage = self._with_seq_len(stage)
        self._check_known(stage)
        return self._with_throughput(
            replace(stage, power=self._power(stage, accelerator, spec, provider)), spec, accelerator
        )

    def _stage_model(self, spec: Mapping[str, Any]) -> tuple[Architecture | None, Range | None, Range | None]:
        if "config" in spec:
            return self._of_shape(read_config(spec["config"]).architecture)
        return self._of_params(spec) if "params" in spec else (self.architecture, self.params, self.active)

    def _stage_range(self, spec: Mapping[str, Any], word: str) -> Range | None:
        if word in self.settings:
            return self.settings[word]
        return read.ranged(word, spec[word]) if word in spec else None

    def _accelerator(self, spec: Mapping[str, Any]) -> Accelerator:
        name = spec.get("accelerator")
        if name is None:
            missing = f"is not published for {self.name}" if self.preset else "is missing"
            raise InputError("accelerator", None, missing, "give one, such as --accelerator h100-sxm")
        return self.catalog.accelerator(str(name))

    def _precision(self, spec: Mapping[str, Any], accelerator: Accelerator) -> str:
        if "precision" in spec:
            asked = str(spec["precision"])
            rule.peak_flop_per_s(accelerator, asked)
            return asked
        precision, _ = rule.reference_peak(accelerator)
        self._tell("precision", precision, "default", accelerator.id, "the device's 16-bit training precision")
        return precision

    def _with_seq_len(self, stage: Stage) -> Stage:
        if stage.seq_len is not None or stage.architecture is None or stage.tokens is None:
            return stage
        usual = int(self.catalog.constant("seq_len").mid)
        self._tell("seq_len", float(usual), "default", "constants.csv", f"{stage.name}: give --seq-len")
        return replace(stage, seq_len=usual)

    def _check_known(self, stage: Stage) -> None:
        known = stage.training_flop or stage.accelerator_hours or (stage.tokens and stage.params)
        if not known and self.words.get("accelerator_hours") is None:
            missing = "tokens" if stage.params else "params"
            fix = f"give --{missing}, or --flop, or --accelerator-hours"
            raise InputError(missing, None, f"is missing for stage {stage.name}", fix)

    def _with_throughput(self, stage: Stage, spec: Mapping[str, Any], accelerator: Accelerator) -> Stage:
        active = stage.active_params.mid if stage.active_params else self._size_from_flop(stage)
        moe = bool(
            (stage.architecture and stage.architecture.n_experts)
            or (stage.params and stage.active_params and stage.active_params.mid < stage.params.mid)
        )
        _, predicted = rule.predict(accelerator, stage.precision, active, moe, self.year, self.catalog)
        values: dict[str, Range] = {}
        for name in ("mfu", "goodput", "generation_mfu"):
            if name in spec or name in self.settings:
                values[name] = self.settings.get(name) or read.ranged(name, spec[name])
                self._tell(f"{stage.name}.{name}", values[name], "given", "user")
            else:
                values[name] = getattr(predicted, name)
                if name != "generation_mfu" or stage.kind in ("rl", "synthetic"):
                    self._tell(f"{stage.name}.{name}", values[name], "modelled", "throughput_rule.csv", predicted.note)
        if not predicted.measured_generation and "mfu" not in spec and "mfu" not in self.settings:
            self.notes.append(predicted.note)
        return replace(stage, **values)  # type: ignore[arg-type]

    def _size_from_flop(self, stage: Stage) -> float:
        if stage.training_flop is None:
            return rule.Rule(self.catalog).known("params_knee").mid
        size = math.sqrt(stage.training_flop.mid / CHINCHILLA_FLOP_RATIO)
        self._tell(
            f"{stage.name}.active_params", size, "modelled", "arXiv 2203.15556",
            "size unknown: the compute-optimal one of this FLOP, used for MFU alone",
        )  # fmt: skip
        return size

    def _power(self, stage: Stage, accelerator: Accelerator, spec: Mapping[str, Any], provider: str | None) -> Power:
        node = spec.get("node") or self.words.get("node")
        power, ledger = stage_power(stage, accelerator, _text(node), provider, self.settings, self.catalog)
        self.ledger += ledger
        return power

    # place, hours, what was published

    def _site_words(self) -> SiteWords:
        words, preset = self.words, self.preset
        placed = {k: words.get(k) for k in ("region", "country", "zone")}
        origin = "given"
        operator = words.get("operator")
        if preset is not None:
            if not any(placed.values()) and preset["country"]:
                placed["country"], origin = str(preset["country"]), "catalog"
            if operator is None and origin == "catalog" and preset["operator"]:
                operator = str(preset["operator"])
        site_settings = {k: v for k, v in self.settings.items() if k not in read.STAGE_SETTINGS}
        return SiteWords(
            region=_text(placed["region"]),
            country=_text(placed["country"]),
            zone=_text(placed["zone"]),
            operator=_text(operator),
            provider=_text(words.get("provider")),
            year=self.year,
            grid=_text(words.get("grid")),
            settings=site_settings,
            place_origin=origin,
        )

    def _hours(self, published: list[Published]) -> Range | None:
        if "accelerator_hours" in self.words:
            hours = read.ranged("accelerator_hours", self.words["accelerator_hours"])
            self._tell("accelerator_hours", hours, "given", "user")
            return hours
        if not self.words.get("reported"):
            return None
        known = [p for p in published if p.accelerator_hours]
        if not known:
            raise InputError("reported", self.name, "has no published hours", "leave --reported out")
        hours = Range.exactly(float(known[0].accelerator_hours or 0.0))
        self._tell("accelerator_hours", hours, "catalog", known[0].source, f"reported, run {known[0].run_id}")
        return hours

    def _published(self) -> list[Published]:
        """In the order of the preset: the run that covers its stages first."""
        wanted = str(self.preset["run_ids"] or "").split(";") if self.preset else []
        runs = {str(row["id"]): row for row in self.catalog.rows("runs")} if any(wanted) else {}
        return [published_run(runs[name]) for name in wanted if name in runs]


def _check_order(stages: tuple[Stage, ...]) -> None:
    """Every stage follows stages that stand before it: no circle, no unknown name."""
    seen: set[str] = set()
    for stage in stages:
        for name in stage.after:
            if name not in seen:
                raise InputError("after", name, f"is no stage before {stage.name}", "list the stages in order")
        seen.add(stage.name)


def _passes(kind: str) -> float:
    return 1.0 if kind in ("preference", "rl") else 0.0


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _unique(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(lines))
