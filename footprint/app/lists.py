"""The names that inputs offer: presets, devices, places, providers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from footprint.accounting import grid
from footprint.catalog import Catalog
from footprint.catalog.records import PRECISIONS


def _column(table: str, *columns: str) -> Callable[[Catalog], Iterable[str]]:
    def names(catalog: Catalog) -> Iterable[str]:
        return [str(row[name]) for name in columns for row in catalog.rows(table) if row[name]]

    return names


def _zones(catalog: Catalog) -> Iterable[str]:
    return [*_column("grid_odbl", "zone")(catalog), *_column("grid_open", "zone")(catalog)]


LISTS: dict[str, Callable[[Catalog], Iterable[str]]] = {
    "models": _column("models", "id", "family"),
    "accelerators": _column("accelerators", "id"),
    "nodes": _column("nodes", "id"),
    "regions": _column("regions", "id"),
    "countries": _column("grid_open", "iso3"),
    "zones": _zones,
    "operators": _column("facilities", "operator"),
    "providers": _column("prices", "provider"),
    "grids": lambda _: grid.SOURCES,
    "precisions": lambda _: PRECISIONS,
    "optimizers": _column("optimizers", "id"),
    "developments": _column("development", "id"),
    "frameworks": _column("throughput", "framework"),
}


def offered(catalog: Catalog) -> dict[str, list[str]]:
    """Every list, each name once, in the order of letters where the tables have no better one."""
    found = {name: list(dict.fromkeys(names(catalog))) for name, names in LISTS.items()}
    return {name: names if name in ("grids", "precisions") else sorted(names) for name, names in found.items()}
