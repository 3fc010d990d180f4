"""The paragraph for a paper's methods section, and the sources that were used as BibTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from footprint.report.run_wording import ASSUMED, KINDS, kind_of, measured_share, percent, utc
from footprint.report.wording import hardware, origin_of, place, plain, show_days, show_range
from footprint.units import show
from footprint.values import Footprint, Range, Run

SourceRows = Mapping[str, Mapping[str, object]]
"""The rows of sources.csv by their key."""

_ARXIV = re.compile(r"arXiv[: ]\s*(\d{4}\.\d{4,5})(?: [a-z]+ [\w. ]+)?", re.IGNORECASE)
_AUTHORED = re.compile(
    r"^(?P<author>[^,\d(]+?(?:, [A-Z]\w+)*) (?P<year>(?:19|20)\d\d), \"?(?P<title>[^\"]+?)\"?,? arXiv"
)
_REPOSITORY = re.compile(r"^[\w.-]+/[\w.-]+( |$)")
_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")
_ISO = re.compile(r"^ISO/IEC (\d+(?:-\d+)?)(:\d{4})?(?:, ([^,(]+))?")
_CENTURY = 2000
_MOST_NAME = 120
_UNNAMED = "plan"
_WORDS = {None: "", "k": " thousand", "M": " million"}
_OWN = re.compile(r"\b[a-z_]+\.csv\b")
_SAYS_NOTHING = ("", "user", "config", "measured", "assumed by this project")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def of_plan(footprint: Footprint) -> str:
    """What an estimate rests on and comes to, as a paragraph to paste."""
    usage, facility = footprint.usage, footprint.facility
    on = hardware(footprint)
    known = origin_of(footprint, "accelerator_hours")
    how = "taken as known" if known == "given" else "predicted from the model, its tokens and the hardware"
    lasting = f", or {_ranged(show_days(usage.wall_clock_h))}" if usage.wall_clock_h else ""
    flop = f", for {_ranged(show_range('training_flop', usage.training_flop))}" if usage.training_flop else ""
    told = [
        f"We estimated the training of {_subject(footprint)} with footprint {_stamp(footprint)}.",
        f"It takes {_hours(usage.accelerator_hours)}{f' on {on}' if on else ''}{lasting}{flop}; "
        f"the hours are {how}{_efficiency(footprint)}.",
        _energy(footprint, "The facility draws"),
        _carbon(footprint),
        _card(footprint),
        _rest(facility.onsite_water_l, facility.offsite_water_l),
        _END,
    ]
    return " ".join(filter(None, told))


def of_run(run: Run) -> str:
    """How a run was measured and what it came to, as a paragraph to paste."""
    found = run.footprint
    on = hardware(found)
    starts = len({segment.restart_count for segment in run.segments})
    sensors = ", ".join(dict.fromkeys(plain(m.meter.sensor) for m in run.meters if kind_of(m) == KINDS["measured"]))
    told = [
        f"We measured {_name(run.name or run.id)} from {utc(run.started_utc_s)} to {utc(run.ended_utc_s)} "
        f"with footprint {_stamp(found)}"
        + (f", in {starts} starts" if starts > 1 else "")
        + ("." if run.status == "finished" else f" (status: {plain(run.status)})."),
        f"It used {_hours(run.usage.accelerator_hours)}{f' on {on}' if on else ''}.",
        f"IT energy is {_ranged(show_range('it_energy_kwh', found.facility.it_energy_kwh))}{_known(run, sensors)}.",
        _wasted(run),
        _energy(found, "The facility drew"),
        _carbon(found),
        _card(found),
        _rest(found.facility.onsite_water_l, found.facility.offsite_water_l),
        _END,
    ]
    return " ".join(filter(None, told))


_END = (
    "Ranges are 5th to 95th percentiles; offsets and certificates are not counted in location-based figures, and "
    "location- and market-based ones are never added."
)


def _name(name: str) -> str:
    shown = plain(name)
    return shown if len(shown) <= _MOST_NAME else shown[: _MOST_NAME - 1] + "…"


def _subject(footprint: Footprint) -> str:
    """The model's name; of a plan without one, its size."""
    if footprint.name != _UNNAMED:
        return _name(footprint.name)
    params = footprint.plan.stages[0].params if footprint.plan else None
    return f"a model of {show_range('params', params)} parameters" if params else "a model"


def _hours(value: Range) -> str:
    """'34 M h (22 – 79)' as '34 million accelerator-hours (90% interval 22 to 79)'."""
    shown = show_range("accelerator_hours", value)
    return re.sub(r"^(\S+)(?: ([kM]))? h", lambda m: f"{m[1]}{_WORDS[m[2]]} accelerator-hours", _ranged(shown), count=1)


def _stamp(footprint: Footprint) -> str:
    return plain(f"{footprint.version} (data {footprint.catalog_digest})")


def _ranged(shown: str) -> str:
    """'34 M h (22 – 79)' as prose has it: '34 M h (90% interval 22 to 79)'."""
    return re.sub(r" \((.+?) – (.+?)\)", r" (90% interval \1 to \2)", shown)


def _efficiency(footprint: Footprint) -> str:
    main = max(footprint.usage.lines, key=lambda line: line.accelerator_hours.mid, default=None)
    if main is None or main.mfu is None or footprint.parts:
        return ""
    goodput = f" and a goodput of {_ranged(show_range('goodput', main.goodput))}" if main.goodput else ""
    return f", at an MFU of {_ranged(show_range('mfu', main.mfu))}{goodput}"


def _energy(footprint: Footprint, who: str) -> str:
    facility, site = footprint.facility, footprint.site
    return (
        f"{who} {_ranged(show_range('facility_energy_kwh', facility.facility_energy_kwh))}: accelerators, hosts, "
        f"network and power supply, times a PUE of {_ranged(show_range('pue', site.pue))}."
    )


def _carbon(footprint: Footprint) -> str:
    facility, site = footprint.facility, footprint.site
    market = (
        f"; market-based {_ranged(show_range('operational_market_kgco2e', facility.operational_market_kgco2e))}"
        if facility.operational_market_kgco2e
        else "; the market-based figure is not known"
    )
    intensity = _ranged(show_range("location_intensity_g_per_kwh", site.location_intensity_g_per_kwh))
    kinds = ", ".join(plain(word) for word in (site.intensity_basis, site.intensity_scope) if word)
    return (
        f"At the location-based intensity of {place(footprint)}, {intensity}, {kinds}, that is "
        f"{_ranged(show_range('operational_location_kgco2e', facility.operational_location_kgco2e))} in operation"
        f"{market}. Making the hardware adds {_ranged(show_range('embodied_kgco2e', footprint.embodied_kgco2e))}, "
        f"{_ranged(show_range('total_location_kgco2e', footprint.total_location_kgco2e))} in all."
    )


def _card(footprint: Footprint) -> str:
    card = footprint.model_card
    return (
        "By the convention of model cards (nameplate power times hours times PUE) it is "
        f"{show_range('facility_energy_kwh', card.facility_energy_kwh, bounds=False)} and "
        f"{show_range('operational_location_kgco2e', card.operational_location_kgco2e, bounds=False)}."
    )


def _rest(onsite: Range, offsite: Range) -> str:
    return (
        f"Water: {_ranged(show_range('onsite_water_l', onsite))} on site, "
        f"{_ranged(show_range('offsite_water_l', offsite))} at the power stations."
    )


def _known(run: Run, sensors: str) -> str:
    share = measured_share(run)
    if share is None:
        return ""
    whole = math.fsum(one.it_energy_kwh.mid for one in run.meters)
    kinds = []
    for name in (KINDS["modelled"], ASSUMED):
        part = math.fsum(one.it_energy_kwh.mid for one in run.meters if kind_of(one) == name)
        if whole and part:
            kinds.append(f"{percent(part / whole)} {name}")
    rest = f", {', '.join(kinds)}" if kinds else ""
    return f", of which {percent(share)} is measured{f' ({sensors})' if sensors and share else ''}{rest}"


def _wasted(run: Run) -> str:
    wasted = run.wasted_it_energy_kwh
    parts = [f"{show_range('it_energy_kwh', wasted)} of it was spent on work done again"] if wasted else []
    if run.stalled_it_energy_kwh:
        parts.append(f"{show('it_energy_kwh', run.stalled_it_energy_kwh, 2)} while accelerators were near idle")
    return ("; ".join(parts) + ".") if parts else ""


# sources


def bibtex(footprint: Footprint, rows: SourceRows) -> str:
    """The sources that a footprint rests on, once each, with footprint itself first."""
    entries = {"footprint": _entry("software", "footprint", {
        "title": "footprint: what training a model costs", "version": footprint.version,
        "note": f"data {footprint.catalog_digest}",
    })}  # fmt: skip
    for source in _sources(footprint):
        for key, entry in _of_source(source, rows):
            if entry.count("\n") > entries.get(key, "").count("\n"):  # what says more, such as authors, stands
                entries[key] = entry
    return "\n\n".join(entries.values()) + "\n"


def _sources(footprint: Footprint) -> Iterator[str]:
    yield from dict.fromkeys(a.source for a in footprint.ledger)
    yield from dict.fromkeys(p.source for p in footprint.published)
    yield from dict.fromkeys(step.reference for step in footprint.steps)
    for part in footprint.parts:
        yield from _sources(part)


def _of_source(source: str, rows: SourceRows) -> Iterator[tuple[str, str]]:
    """The entries of one cell: keys of sources.csv, documents, or both."""
    for piece in (part.strip().rstrip(".") for part in source.split(";")):
        if piece in rows:
            yield _of_row(piece, rows[piece])
        elif found := list(_ARXIV.finditer(piece)):
            for match in found:
                yield _of_arxiv(match[1], piece)
        elif (
            piece not in _SAYS_NOTHING and not _OWN.search(piece) and (_YEAR.search(piece) or _REPOSITORY.match(piece))
        ):
            yield _of_document(piece)


def _is_document(piece: str) -> bool:
    """Whether it names what can be found: no table of ours, no phrase."""
    if piece in _SAYS_NOTHING or _OWN.search(piece):
        return False
    return bool(_YEAR.search(piece) or _REPOSITORY.match(piece) or _ISO.match(piece))


def _of_row(key: str, row: Mapping[str, object]) -> tuple[str, str]:
    when = str(row.get("as_of") or "")
    fields = {
        "title": str(row.get("what") or key),
        "version": str(row.get("version") or ""),
        "year": when[:4],
        "howpublished": str(row.get("source") or ""),
        "note": ", ".join(filter(None, (str(row.get("licence") or ""), f"as of {when}" if when else ""))),
    }
    return key, _entry("misc", key, fields)


def _of_arxiv(number: str, piece: str) -> tuple[str, str]:
    """A preprint; its authors and title where the source names them."""
    key = "arxiv_" + number.replace(".", "_")
    match = _AUTHORED.match(piece)
    fields = {
        "author": _authors(match["author"]) if match else "",
        "title": match["title"].strip() if match else f"arXiv:{number}",
        "year": match["year"] if match else str(_CENTURY + int(number[:2])),
        "eprint": number,
        "archivePrefix": "arXiv",
    }
    return key, _entry("misc", key, fields)


def _authors(told: str) -> str:
    """'Chowdhery et al.' as BibTeX has it."""
    return " and ".join(re.split(r", | and ", re.sub(r" et al\.?$", " and others", told.strip())))


def _of_document(piece: str) -> tuple[str, str]:
    if iso := _ISO.match(piece):
        title = f"ISO/IEC {iso[1]}{iso[2] or ''}" + (f", {iso[3].strip()}" if iso[3] and iso[2] else "")
        key = f"iso_iec_{iso[1].replace('-', '_')}"
        return key, _entry("misc", key, {"title": title, "year": (iso[2] or "").lstrip(":")})
    key = "_".join(re.findall(r"[a-z0-9]+", piece.casefold())[:5]) or "source"
    year = _YEAR.search(piece)
    fields = {"title": piece, "year": year[1] if year else ""}
    return key, _entry("misc", key, fields)


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{_latex(value, name)}}}," for name, value in fields.items() if value]
    return "\n".join((f"@{kind}{{{re.sub('[^A-Za-z0-9_]', '_', key)},", *lines, "}"))


def _latex(value: str, field: str) -> str:
    """Text without what BibTeX would act on; a title in braces keeps its capitals."""
    told = re.sub(r"[\\{}&%$#_~^]", lambda match: _LATEX[match.group()], plain(value))
    return f"{{{told}}}" if field == "title" else told


def known_sources(data: str | Path | None = None) -> SourceRows:
    """What sources.csv says of its keys; a folder of one's own may say more."""
    from footprint.catalog import open_catalog

    return {str(row["id"]): row for row in open_catalog(data).rows("sources")}
