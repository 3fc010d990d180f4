"""From an assessment of draws to the footprint that is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from footprint.accounting import assessor
from footprint.catalog import Catalog
from footprint.derivation import Derivation
from footprint.uncertainty import summarise_record
from footprint.values import Footprint, Site, Usage
from footprint.version import __version__


def record(
    name: str,
    usage: Usage,
    drawn_site: Site,
    assessment: assessor.Assessment,
    calculate: Derivation,
    catalog: Catalog,
    *,
    site: Site,
    **rest: Any,
) -> Footprint:
    """Summarise the draws, then hang on what needs no summing up."""
    drawn = assessor.footprint(name, usage, drawn_site, assessment)
    return replace(
        summarise_record(replace(drawn, site=site)),
        steps=tuple(calculate.steps),
        catalog_digest=catalog.digest(),
        version=__version__,
        **rest,
    )
