"""What the files in `data/` say: read on first use, checked, looked up by id or alias.

A folder of the user's own, given or named by FOOTPRINT_DATA, overrides it: files of the same names
with the same columns, where a row with a known key replaces and any other adds. `data/README.md` is
the dictionary. What is assumed when nothing is told stands in `plan` and `site`, not here.
"""

from footprint.catalog.lookups import Catalog, forget_catalogs, open_catalog
from footprint.catalog.schema import TABLES, Cell, Row, is_number

__all__ = ["TABLES", "Catalog", "Cell", "Row", "forget_catalogs", "is_number", "open_catalog"]
