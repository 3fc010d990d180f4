"""Tables as pandas frames."""

from __future__ import annotations

import pandas

from footprint.report.tables import Table


def frame(table: Table) -> pandas.DataFrame:
    """The table's rows, numbers as floats with NaN where nothing is known."""
    out = pandas.DataFrame.from_records(list(table.rows), columns=list(table.columns))
    return out.astype({name: float for name in table.columns if name in table.right})
