"""The run that users hold: the value, with ways to show itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from footprint import records
from footprint.report import run_formats, run_numbers
from footprint.report.run_wording import title
from footprint.report.wording import show_range
from footprint.values import Run

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(Run):
    """A `Run` that prints, converts and displays itself."""

    @classmethod
    def of(cls, run: Run) -> RunResult:
        """The same values, able to show themselves."""
        return cls(**{f.name: getattr(run, f.name) for f in fields(Run)})

    def to_dict(self) -> dict[str, Any]:
        """Plain data: keys are the field names, a Range has low, mid and high, None is absent."""
        return records.to_dict(self)

    def to_json(self) -> str:
        """The same as JSON text, with `schema_version`."""
        return run_formats.json(self)

    def to_frame(self) -> pandas.DataFrame:
        """One row a quantity: run, name, status, part, quantity, convention, low, mid, high, unit, known_by."""
        from footprint.report import frames

        return frames.frame(run_numbers.quantities([self]))

    def to(self, format: str) -> str:
        """Text in one of the formats of `footprint.report.run_formats.FORMATS`."""
        return run_formats.named(format)(self)

    def _repr_html_(self) -> str:
        from footprint.report import run_page

        return run_page.fragment(self)

    def __str__(self) -> str:
        return run_formats.text(self).rstrip("\n")

    def __repr__(self) -> str:
        energy = show_range("it_energy_kwh", self.footprint.facility.it_energy_kwh)
        carbon = show_range("total_location_kgco2e", self.footprint.total_location_kgco2e)
        return f"<RunResult {title(self)}: {energy}, {carbon}>"
