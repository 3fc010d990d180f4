"""The catalog: tables read on first use, a user's folder laid over them, names resolved."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from footprint.catalog.files import File
from footprint.catalog.records import accelerator_of, node_of, number, text
from footprint.catalog.schema import TABLES, Cell, Row, is_remark
from footprint.errors import DataError, InputError, UnknownName, close_names
from footprint.values import Accelerator, Node, Range

__all__ = ["Catalog", "forget_catalogs", "open_catalog"]

# NVML and vendors count a device's memory in GiB or GB, with or without what ECC takes.
_MEMORY_TOLERANCE_RATIO = 0.15


def _fold(name: str) -> str:
    """A name as people and drivers spell it, brought to one spelling."""
    return re.sub(r"[ _]+", "-", name.strip().casefold().removeprefix("nvidia "))


def _words(cell: Cell, separator: str = ";") -> list[str]:
    return [part.strip() for part in str(cell).split(separator) if part.strip()] if cell is not None else []


class Catalog:
    """The tables of one shipped folder, with the rows of a user's folder laid over them.

    Parameters
    ----------
    shipped : the folder with the package's tables; its headers are the schema
    override : a folder with files of the same names; None for none

    Raises
    ------
    InputError
        When `override` does not exist or holds no table.
    DataError
        When it holds a CSV file that is no table. A wrong row is told when its table is first read.
    """

    def __init__(self, shipped: Path, override: Path | None = None) -> None:
        self.shipped, self.override = shipped, override
        self._tables: dict[str, dict[tuple[Cell, ...], Row]] = {}
        if override is None:
            return
        if not override.is_dir():
            fix = "give a folder with tables such as prices.csv"
            raise InputError("data folder", str(override), "is not a folder", fix)
        names = {path.stem: path for path in sorted(override.glob("*.csv"))}
        for name, path in names.items():
            if name not in TABLES:
                near = close_names(name, TABLES)
                hint = f"did you mean {' or '.join(near)}?" if near else f"the tables are {', '.join(TABLES)}"
                raise DataError(path, None, None, f"is not a known table; {hint}")
        if not names:
            fix = f"name its files as the tables: {', '.join(TABLES)}"
            raise InputError("data folder", str(override), "holds no table", fix)

    def rows(self, table: str) -> tuple[Row, ...]:
        """All rows of a table, the user's laid over the shipped; numbers read, empty cells None.

        Raises
        ------
        UnknownName
            When no table has this name.
        DataError
            When a row breaks a rule, with file, line and column.
        """
        return tuple(self._table(table).values())

    def _table(self, table: str) -> dict[tuple[Cell, ...], Row]:
        if table not in TABLES:
            raise UnknownName("table", table, TABLES, "see: footprint catalog")
        if table not in self._tables:
            shipped = File(self.shipped / f"{table}.csv", TABLES[table])
            rows = dict(shipped.rows)
            own = self.override / f"{table}.csv" if self.override else None
            if own is not None and own.is_file():
                rows.update(File(own, TABLES[table], shipped.header).rows)
            self._tables[table] = rows
        return self._tables[table]

    def with_rows(self, table: str, rows: Iterable[Row]) -> Catalog:
        """A catalog of the same folders with rows laid over one table, in memory alone."""
        laid = Catalog(self.shipped, self.override)
        keys = TABLES[table]
        over = {tuple(row[key] for key in keys): row for row in rows}
        laid._tables = {**self._tables, table: {**self._table(table), **over}}
        return laid

    def _row(self, table: str, name: str, field: str) -> Row:
        rows = self._table(table)
        row = rows.get((name,)) or rows.get((name.strip().casefold(),))
        if row is None:
            raise UnknownName(field, name, (str(key[0]) for key in rows), f"see: footprint catalog {table}")
        return row

    def find(self, table: str, search: str = "") -> tuple[Row, ...]:
        """The rows whose names hold every word of a search, letter case aside; remarks and sources do not count."""
        words = search.casefold().split()
        return tuple(row for row in self.rows(table) if _holds(row, words))

    @cached_property
    def _accelerator_ids(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for row in self.rows("accelerators"):
            for name in (text(row, "id"), *_words(row["aliases"])):
                if found.setdefault(_fold(name), text(row, "id")) != row["id"]:
                    problem = f"{name!r} names both {found[_fold(name)]} and {row['id']}; keep it in one row"
                    raise DataError((self.override or self.shipped) / "accelerators.csv", None, "aliases", problem)
        return found

    @cached_property
    def _nvml_ids(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in self.rows("accelerators"):
            for name in {_fold(n) for n in _words(row["nvml_names"])}:
                found.setdefault(name, []).append(text(row, "id"))
        return found

    def accelerator(self, name: str, memory_gb: float | None = None) -> Accelerator:
        """An accelerator by id, alias or NVML name; letter case and "NVIDIA " aside.

        Parameters
        ----------
        name : such as "h100-sxm", "A100" or "NVIDIA H100 80GB HBM3"
        memory_gb : what the driver reports; tells parts apart that share one NVML name

        Raises
        ------
        UnknownName
            When nothing has this name.
        InputError
            When an NVML name stands for several parts and the memory does not say which, or when the
            table has no TDP or memory for the part.
        """
        folded = _fold(name)
        parts, named = self._nvml_ids.get(folded, []), self._accelerator_ids.get(folded)
        if not parts and named is None:
            known = [*self._accelerator_ids, *self._nvml_ids]
            raise UnknownName("accelerator", name, known, "see: footprint catalog accelerators")
        if named is None or (parts and name.strip().casefold().startswith("nvidia ")):
            return accelerator_of(self._part(name, parts, memory_gb))
        ids = [named] if memory_gb is None else list(dict.fromkeys([named, *parts]))
        return accelerator_of(self._part(name, ids, memory_gb))

    def _part(self, name: str, ids: Sequence[str], memory_gb: float | None) -> Row:
        rows = [self._row("accelerators", i, "accelerator") for i in ids]
        listed = ", ".join(f"{row['id']} ({row['memory_gb']} GB)" for row in rows)
        if memory_gb is None:
            if len(rows) > 1:
                raise InputError("accelerator", name, f"is the name of {listed}", "give one of these ids, or memory_gb")
            return rows[0]
        gaps = {i: abs(memory_gb / (number(row, "memory_gb") or math.inf) - 1) for i, row in enumerate(rows)}
        nearest = min(gaps, key=lambda i: gaps[i])
        if gaps[nearest] > _MEMORY_TOLERANCE_RATIO:
            raise InputError("memory_gb", memory_gb, f"fits no {name}: {listed}", "give an id, or add the part's row")
        return rows[nearest]

    def accelerators(self) -> tuple[Accelerator, ...]:
        """Every accelerator whose TDP and memory the table has; `rows` shows the others too."""
        return tuple(accelerator_of(row) for row in self.rows("accelerators") if row["tdp_w"] and row["memory_gb"])

    def node(self, name: str) -> Node:
        """A server or instance by id.

        Raises
        ------
        UnknownName
            When no node has this id.
        InputError
            When the table has no watts for it.
        """
        row = self._row("nodes", name, "node")
        if row["max_w"] is None or row["idle_w"] is None:
            fix = "give a row of your own in nodes.csv (FOOTPRINT_DATA)"
            raise InputError("node", name, "has no max_w and idle_w", fix)
        return node_of(row)

    def nodes_for(self, accelerator_id: str, provider: str | None = None) -> tuple[Node, ...]:
        """The nodes with watts that carry an accelerator, in the table's order."""
        return tuple(
            node_of(row)
            for row in self.rows("nodes")
            if row["accelerator"] == accelerator_id
            and provider in (None, row["provider"])
            and row["max_w"]
            and row["idle_w"]
        )

    def region(self, name: str) -> Row:
        """A cloud region as "aws/us-east-1", or bare where only one provider has the name.

        Raises
        ------
        UnknownName
            When no provider has it.
        InputError
            When several have it.
        """
        folded = name.strip().casefold()
        rows = self.rows("regions")
        found = [row for row in rows if folded in (text(row, "id").casefold(), text(row, "region").casefold())]
        if not found:
            known = [text(row, column) for row in rows for column in ("id", "region")]
            raise UnknownName("region", name, known, "see: footprint catalog regions")
        if len(found) > 1:
            ids = " or ".join(text(row, "id") for row in found)
            raise InputError("region", name, "belongs to several providers", f"write {ids}")
        return found[0]

    def facility(self, operator: str, year: int | None = None, site: str | None = None, having: str = "pue") -> Row:
        """An operator's row with a value in column `having` nearest in year, not after it if possible.

        Without `site` the operator's fleet comes first; without `year`, the newest.
        """
        folded = operator.strip().casefold()
        known = [row for row in self.rows("facilities") if row[having] is not None]
        rows = [row for row in known if folded in (text(row, "operator").casefold(), row["provider"])]
        if not rows:
            names = (text(row, "operator") for row in known)
            raise UnknownName("operator", operator, names, "see: footprint catalog facilities")
        sites = [row for row in rows if row["site"] == (site or "fleet")]
        if site is not None and not sites:
            raise UnknownName("site", site, (text(row, "site") for row in rows), "see: footprint catalog facilities")
        rows = sites or rows
        if year is None:
            return max(rows, key=lambda row: int(row["year"] or 0))
        return min(rows, key=lambda row: (int(row["year"] or 0) > year, abs(int(row["year"] or 0) - year)))

    def constant(self, name: str) -> Range:
        """A constant with its interval; its id carries the unit."""
        row = self.constant_row(name)
        low, mid, high = (number(row, end) for end in ("low", "mid", "high"))
        if low is None or mid is None or high is None:
            path = (self.override or self.shipped) / "constants.csv"
            raise DataError(path, None, "mid", f"{name} has an empty cell; write low, mid and high")
        return Range(low, mid, high)

    def constant_row(self, name: str) -> Row:
        """A constant's row, with its source and note."""
        return self._row("constants", name, "constant")

    def optimizer(self, name: str) -> Row:
        """Bytes a parameter of weights, gradients and states under an optimizer."""
        return self._row("optimizers", name, "optimizer")

    def source(self, key: str) -> Row:
        """Where a source key of any row leads, with its licence."""
        return self._row("sources", key, "source")

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for folder in (self.shipped, *([self.override] if self.override else [])):
            for path in sorted(p for p in folder.glob("*.csv") if p.is_file()):
                content = path.read_bytes()
                digest.update(f"{path.name}:{len(content)}:".encode())
                digest.update(content)
        return digest.hexdigest()[:16]

    def digest(self) -> str:
        """Sixteen hex digits of the SHA-256 over names and contents of all files, the user's too."""
        return self._digest

    def check(self) -> None:
        """Read and check every table, and every name that one table takes from another.

        Raises
        ------
        DataError
            At the first broken rule.
        """
        accelerators = {row["id"] for row in self.rows("accelerators")}
        for table in TABLES:
            for row in self.rows(table):
                name = row.get("accelerator")
                if name is not None and name not in accelerators:
                    problem = f"{name!r} (row {row[TABLES[table][0]]}) is not in accelerators.csv; add its row"
                    raise DataError(self.shipped / f"{table}.csv", None, "accelerator", problem)
        for row in self.rows("constants"):
            self.constant(text(row, "id"))
        self.accelerators()
        self._accelerator_ids  # noqa: B018 - raises when a name stands for two


def _holds(row: Row, words: Iterable[str]) -> bool:
    texts = [cell.casefold() for name, cell in row.items() if isinstance(cell, str) and not is_remark(name)]
    return all(any(word in text for text in texts) for word in words)


@lru_cache(maxsize=8)
def _open(shipped: Path, override: Path | None) -> Catalog:
    return Catalog(shipped, override)


@lru_cache(maxsize=1)
def _shipped_folder() -> Path:
    """`data/` inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).resolve().parent.parent / "data"
    return inside if inside.is_dir() else inside.parent.parent / "data"


def open_catalog(folder: Path | str | None = None) -> Catalog:
    """The shipped tables, with a user's folder (or the one FOOTPRINT_DATA names) laid over them; opened once."""
    own = folder if folder is not None else os.environ.get("FOOTPRINT_DATA") or None
    return _open(_shipped_folder(), Path(own).expanduser().resolve() if own is not None else None)


def forget_catalogs() -> None:
    """Read every folder anew when it is opened next: its files have changed."""
    _open.cache_clear()
