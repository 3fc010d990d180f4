"""The footprint that users hold: the value, with ways to show itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from footprint import records
from footprint.report import formats, quantities
from footprint.report.wording import show_range, title
from footprint.values import Footprint

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class Result(Footprint):
    """A `Footprint` that prints, converts and displays itself."""

    @classmethod
    def of(cls, footprint: Footprint) -> Result:
        """The same values, able to show themselves."""
        return cls(**{f.name: getattr(footprint, f.name) for f in fields(Footprint)})

    def to_dict(self) -> dict[str, Any]:
        """Plain data: keys are the field names, a Range has low, mid and high, None is absent."""
        return records.to_dict(self)

    def to_json(self) -> str:
        """The same as JSON text, with `schema_version`."""
        return records.to_json(self)

    def to_frame(self) -> pandas.DataFrame:
        """One row a quantity: part, quantity, convention, low, mid, high, unit."""
        from footprint.report import frames

        return frames.frame(quantities.quantities(self))

    def to(self, format: str) -> str:
        """Text in one of the formats of `footprint.report.formats.FORMATS`."""
        return formats.named(format)(self)

    def _repr_html_(self) -> str:
        from footprint.report import page

        return page.fragment(self)

    def __str__(self) -> str:
        return formats.text(self).rstrip("\n")

    def __repr__(self) -> str:
        hours = show_range("accelerator_hours", self.usage.accelerator_hours)
        carbon = show_range("total_location_kgco2e", self.total_location_kgco2e)
        return f"<Result {title(self)}: {hours}, {carbon}>"
