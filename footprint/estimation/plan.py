"""Names and gaps become a `Plan`: what is trained on what, and what we assume when told nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from footprint.accounting.site import SiteWords
from footprint.catalog import Catalog, Row
from footprint.errors import InputError, UnknownName
from footprint.estimation import architecture as shape
from footprint.estimation import retold
from footprint.estimation import words as read
from footprint.estimation.presets import preset_rows, published_run, stage_words
from footprint.estimation.stage_plan import Model, Spec, StageBuilder, of_shape, stage_model
from footprint.values import Assumption, Plan, Published, Range, Stage

UNNAMED = "plan"
FIRST_YEAR, LAST_YEAR = 2000, 2100
COMMON_WORDS = ("accelerator", "count", "precision", "optimizer", "batch_tokens", "framework")
"""Words of a plan that hold for all of its stages."""


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
    words = all_words(subject, given)
    name = str(words.get("name") or UNNAMED)
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


def all_words(subject: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a subject says and what is said beside it, as one: the latter holds where both speak.

    Raises
    ------
    InputError
        For a file that holds no plan.
    """
    if subject is None:
        return dict(given)
    if isinstance(subject, Mapping):
        return {**subject, **given}
    if not _is_plan_file(subject):
        return {**given, "model": str(subject)}
    path = Path(subject)
    if retold.is_record(path):
        return retold.over(retold.read(path), given)
    words = {**read.read_plan_file(path), **given}
    return words if words.get("model") or words.get("name") else {**words, "name": path.stem}


def _refuse_family_words(name: str, words: Mapping[str, Any]) -> None:
    for word in ("params", "active_params", "tokens", "config", "flop", "stages", "accelerator_hours"):
        if word in words:
            raise InputError(word, words[word], f"{name} is a family of models", "name one of them")


def _is_plan_file(subject: Any) -> bool:
    return isinstance(subject, Path) or str(subject).lower().endswith((".yaml", ".yml", ".json", *retold.PAGES))


class _Builder:
    """Builds one draft; every gap that it fills goes into the ledger."""

    def __init__(self, words: Mapping[str, Any], preset: Row | None, name: str, catalog: Catalog) -> None:
        self.words, self.preset, self.name, self.catalog = words, preset, name, catalog
        self.ledger: list[Assumption] = []
        self.notes: list[str] = []
        self.settings = read.settings(words.get("settings"))
        self.year = self._year()
        self.model = self._model()

    def draft(self) -> Draft:
        site_words = self._site_words()
        published = self._published()
        hours, specs = self._hours(published), self._specs()
        builder = StageBuilder(
            catalog=self.catalog,
            model=self.model,
            name=self.name,
            settings=self.settings,
            year=self.year,
            node=read.name("node", self.words["node"]) if "node" in self.words else None,
            provider=site_words.provider,
            framework=self.words.get("framework"),
            layout=self.words.get("layout"),
            hours_known=hours is not None,
            hours_shared=hours is not None and len(specs) > 1,
            is_preset=self.preset is not None,
        )
        stages = tuple(builder.stage(spec) for spec in specs)
        self.ledger += builder.ledger
        self.notes += builder.notes
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
            accelerator_hours=hours,
            development_ratio=self._development(),
        )
        return Draft(plan, site_words, self.ledger, _unique(self.notes), published)

    def _tell(self, name: str, value: Range | float | str | None, origin: str, source: str, note: str = "") -> None:
        self.ledger.append(Assumption(name, value, origin, source, note))

    def _year(self) -> int | None:
        """When it trains: as said, else when the preset was released, else now (None)."""
        if "year" in self.words:
            year = read.whole("year", self.words["year"])
            if not FIRST_YEAR <= year <= LAST_YEAR:
                raise InputError("year", year, f"is outside {FIRST_YEAR} to {LAST_YEAR}", "give the year of training")
            return year
        released = self.preset["released"] if self.preset else None
        return int(str(released)[:4]) if released else None

    # the model

    def _model(self) -> Model:
        for word in ("params", "active_params", "config"):
            if self.preset is not None and word in self.words:
                raise InputError(
                    word, str(self.words[word]), f"contradicts the model {self.name}", "give one of the two"
                )
        own = stage_model(self.words)
        if own is not None:
            model, told, named, notes = own
            self.ledger.append(told)
            self.notes += notes
            self.name = named if named and self.name == UNNAMED else self.name
            return model
        if self.preset is None:
            return None, None, None
        found = shape.read_row(self.preset)
        source, provenance = str(self.preset["source"]), str(self.preset["provenance"])
        if found is not None:
            self._tell("architecture", str(self.preset["id"]), "catalog", source, provenance)
            return of_shape(found)
        if self.preset["params"] is None:
            return None, None, None
        total = Range.exactly(float(self.preset["params"]))
        active = self.preset["active_params"]
        self._tell("params", total, "catalog", source, provenance)
        return None, total, Range.exactly(float(active)) if active else total

    # the stages

    def _specs(self) -> list[Spec]:
        words = self.words
        if {"flop", "params", "tokens"} <= set(words):
            raise InputError("flop", words["flop"], "contradicts params with tokens", "give the one or the other")
        common = {k: words[k] for k in COMMON_WORDS if k in words}
        length = {"seq_len": words["seq_len"]} if "seq_len" in words else {}
        if "stages" in words:
            stages = words["stages"]
            if not isinstance(stages, list) or not stages or not all(isinstance(s, Mapping) for s in stages):
                raise InputError("stages", str(stages)[:60], "must be a list of mappings", "write `- kind: pretrain`")
            if {"tokens", "flop"} & set(words):
                raise InputError("tokens", words.get("tokens"), "is given beside stages", "give it to the stages")
            return [Spec({**common, **length, **dict(s)}) for s in stages]
        if self.preset is not None and not {"tokens", "flop"} & set(words):
            rows = self._preset_stages()
            if length and len(rows) > 1:
                raise InputError(
                    "seq_len", words["seq_len"], f"{self.name} has {len(rows)} stages", "give --tokens too"
                )
            return [self._preset_spec(row, {**common, **(length if len(rows) == 1 else {})}) for row in rows]
        own = {**common, **length, **{k: words[k] for k in ("tokens", "flop") if k in words}}
        if self.preset is None:
            return [Spec(own)]
        first = self._preset_spec(self._preset_stages()[0], {})
        kept = {k: v for k, v in first.words.items() if k in (*COMMON_WORDS, "seq_len") and k not in own}
        return [replace(first, words={**kept, **own}, preset_words=frozenset(kept))]

    def _preset_stages(self) -> list[Row]:
        rows = [r for r in self.catalog.rows("stages") if self.preset and r["model"] == self.preset["id"]]
        if not rows:
            raise InputError("tokens", None, f"are not published for {self.name}", "give --tokens")
        return rows

    def _preset_spec(self, row: Row, own: Mapping[str, Any]) -> Spec:
        words = stage_words(row)
        note = str(row["provenance"]) + (f"; {row['note']}" if row["note"] else "")
        return Spec({**words, **own}, frozenset(words) - set(own), str(row["source"]), note)

    # place, hours, what was published

    def _site_words(self) -> SiteWords:
        words, preset = self.words, self.preset
        places = ("region", "country", "zone", "operator", "provider", "grid")
        placed = {k: read.name(k, words[k]) if words.get(k) is not None else None for k in places}
        origin = "given"
        operator = placed.pop("operator")
        provider, source = placed.pop("provider"), placed.pop("grid")
        if preset is not None:
            if all(place is None for place in placed.values()) and preset["country"]:
                placed["country"], origin = str(preset["country"]), "catalog"
            if operator is None and origin == "catalog" and preset["operator"]:
                operator = str(preset["operator"])
        site_settings = {k: v for k, v in self.settings.items() if k not in read.STAGE_SETTINGS}
        return SiteWords(
            region=placed["region"],
            country=placed["country"],
            zone=placed["zone"],
            operator=operator,
            provider=provider,
            year=self.year,
            grid=source,
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

    def _development(self) -> Range | None:
        """Hours before the final run over its own: a cited prior by name, or a ratio; none unless asked for."""
        rows = {str(row["id"]): row for row in self.catalog.rows("development")}
        told = self.words.get("development")
        if told is None:
            names = ", ".join(f"{name} (x {float(row['ratio'] or 0.0):g})" for name, row in rows.items())
            note = f"the final run alone: ablations and failed runs come with --development {names}"
            self._tell("development_ratio", 0.0, "default", "development.csv", note)
            return None
        row = rows.get(str(told).casefold())
        if row is None and str(told)[:1].isalpha():
            raise UnknownName("development", str(told), rows, "name one of these, or give a ratio such as 0.5")
        if row is None:
            ratio = read.ranged("development_ratio", told)
            self._tell("development_ratio", ratio, "given", "user")
            return ratio
        ratio = Range(*(float(row[end] or 0.0) for end in ("low_ratio", "ratio", "high_ratio")))
        self._tell("development_ratio", ratio, "catalog", str(row["source"]), str(row["note"]))
        return ratio

    def _published(self) -> list[Published]:
        """In the order of the preset: the run that covers its stages first."""
        wanted = str(self.preset["run_ids"] or "").split(";") if self.preset else []
        runs = {str(row["id"]): row for row in self.catalog.rows("runs")} if any(wanted) else {}
        if {"accelerator", "tokens", "flop", "precision"} & set(self.words):
            return []  # another run than theirs: nothing to hold it against
        return [published_run(runs[name]) for name in wanted if name in runs]


def _check_order(stages: tuple[Stage, ...]) -> None:
    """Every stage follows stages that stand before it: no circle, no unknown name."""
    seen: set[str] = set()
    for stage in stages:
        for name in stage.after or ():
            if name not in seen:
                raise InputError("after", name, f"is no stage before {stage.name}", "list the stages in order")
        seen.add(stage.name)


def _unique(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(lines))
