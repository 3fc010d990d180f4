"""What a site says of itself once, in YAML: its place and prices, what its partitions carry, how it bills.

Every scalar is read as the text that stands there: NO is Norway and 40:60 a range, whatever YAML makes of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from footprint.accounting import words as read
from footprint.accounting.site import PLACE, SETTINGS, check_place, site_words
from footprint.catalog import Catalog
from footprint.errors import InputError, UnknownName
from footprint.fleet.devices import slices
from footprint.fleet.meters import accelerator_of
from footprint.fleet.site_file_words import NOTHING, amount, fields_of, flag, load, named, number, one_of, shown, text
from footprint.fleet.slurm import Start
from footprint.values import Range

__all__ = ["Billing", "Gres", "Partition", "SiteFile", "read_site", "site_named"]

VARIABLE = "FOOTPRINT_SITE"
DOLLAR = "USD"
CONSUMED = ("rapl", "node", "ignore")
"""What ConsumedEnergyRaw is: processors without accelerators, the whole node, or not to be used."""

IPMI = {"with-gpus": True, "without-gpus": False, "ignore": None}
_COMBINED = ("sum", "max")
_OWN_UNITS = "slurm"
_MOST_NAME = 100
_MIG_SLICES = 7
_PART = re.compile(r"(.+)[_:]([0-9]g\..+)")
_TOP = (
    "cluster", "timezone", "currency", "usd_per_currency", "electricity_price", "partitions", "gres", "billing",
    "consumed_energy", "ipmi",
)  # fmt: skip
_OF_PARTITION = (
    "accelerator", "accelerators_per_node", "host_w", "node", "exclusive", "price_per_accelerator_hour", "weights",
)  # fmt: skip
_OF_BILLING = ("unit", "weights", "combine", "price")
_OF_GRES = ("accelerator", "share")


@dataclass(frozen=True, slots=True)
class Billing:
    """How a site bills: units an hour by what a job was given, as TRESBillingWeights; none: SLURM's own `billing`."""

    unit: str
    weights: Mapping[str, float] = field(default_factory=dict)
    takes_most: bool = False  # the largest of the products, as MAX_TRES; else their sum
    unit_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Gres:
    """What a type of gres is: a device of the catalog, or a part of one."""

    accelerator: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Partition:
    """What the nodes of a partition carry. What is not told is None."""

    name: str
    accelerator: str | None = None
    accelerators_per_node: int | None = None
    host_w: Range | None = None  # of a node beside its accelerators
    is_exclusive: bool = False
    accelerator_usd_per_h: float | None = None
    weights: Mapping[str, float] | None = None  # None: those of the site


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A site, checked."""

    path: str = ""
    cluster: str = ""
    timezone: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)  # place and settings, as a tracked run's
    currency: str = DOLLAR
    usd_per_currency: float = 1.0
    partitions: tuple[Partition, ...] = ()
    gres: Mapping[str, Gres] = field(default_factory=dict)
    billing: Billing | None = None
    consumed_energy: str = "ignore"
    ipmi_has_accelerators: bool | None = None  # None: not to be read
    typed_accelerator: str | None = None  # not the file's: what the user typed beside it

    def partition(self, name: str) -> Partition | None:
        """Of this name, else of the first pattern that fits it."""
        exact = next((one for one in self.partitions if one.name == name), None)
        return exact or next((one for one in self.partitions if fnmatchcase(name, one.name)), None)

    def zone(self) -> ZoneInfo | None:
        """Where months begin and clocks stand; None where it is not told."""
        return ZoneInfo(self.timezone) if self.timezone else None

    def under(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """The site's words under a user's own; a place that is given takes the site's whole place away."""
        places = ("region", "country", "zone")
        kept = dict(self.words)
        if any(words.get(one) for one in places):
            kept = {name: value for name, value in kept.items() if name not in places}
        settings = {**(kept.get("settings") or {}), **(words.get("settings") or {})}
        return {**kept, **words, **({"settings": settings} if settings else {})}

    def device_of(self, kind: str, partition: str, catalog: Catalog) -> str | None:
        """The accelerator of a start: what the user typed, else by its type of gres, else by its partition."""
        return self.typed_accelerator or self._named_device(kind, partition, catalog)

    def _named_device(self, kind: str, partition: str, catalog: Catalog) -> str | None:
        gres = self.gres_of(kind, catalog) if kind else None
        told = self.partition(partition)
        return gres.accelerator if gres is not None else told.accelerator if told is not None else None

    def typing(self, accelerator: str | None) -> SiteFile:
        """With an accelerator that the user typed, which goes before what file and SLURM name."""
        return replace(self, typed_accelerator=accelerator)

    def overruled(self, starts: Iterable[Start], catalog: Catalog) -> tuple[str, ...]:
        """What there is to say where the user typed another accelerator than file or SLURM name."""
        if self.typed_accelerator is None:
            return ()
        named = Counter(self._named_device(one.accelerator, one.partition, catalog) for one in starts)
        return tuple(
            f"--accelerator {self.typed_accelerator} goes before {device}, which the site's file or SLURM names, "
            f"in {count} start{'' if count == 1 else 's'}"
            for device, count in named.items()
            if device not in (None, self.typed_accelerator)
        )

    def gres_of(self, kind: str, catalog: Catalog) -> Gres | None:
        """A type of gres: as the file says, else by the catalog's or NVML's names; a profile is a part.

        SLURM's AutoDetect makes nvidia_h100_80gb_hbm3 of NVIDIA H100 80GB HBM3.
        """
        return self.gres[kind] if kind in self.gres else _gres_of_catalog(kind, catalog)


@lru_cache(maxsize=256)
def _gres_of_catalog(kind: str, catalog: Catalog) -> Gres | None:
    part = _PART.fullmatch(kind)
    whole, profile = (part[1], part[2]) if part is not None else (kind, "")
    device = accelerator_of(whole, catalog) or accelerator_of(whole.replace("_", " "), catalog)
    if device is None:
        return None
    return Gres(device.id, min(slices(profile) / _MIG_SLICES, 1.0) if profile else 1.0)


def site_named(path: Path | None, environment: Mapping[str, str], catalog: Catalog) -> SiteFile:
    """The file that is named, else the one of FOOTPRINT_SITE, else a site of which nothing is told."""
    told = path if path is not None else environment.get(VARIABLE) or None
    return SiteFile() if told is None else read_site(Path(told).expanduser(), catalog)


def read_site(path: Path, catalog: Catalog) -> SiteFile:
    """The site of a YAML file.

    Raises
    ------
    InputError
        Naming the field, its value, its bound and the fix; names that are not known, with those that are near.
    """
    top = fields_of("site", load(path), None)
    place = {name: value for name, value in top.items() if name in PLACE}
    short = {name: full for name in top if (full := _setting(name)) is not None}
    for name in top:
        if name not in _TOP and name not in place and name not in short:
            raise UnknownName("site", name, (*_TOP, *PLACE, *SETTINGS), f"its fields are {', '.join((*_TOP, *PLACE))}")
    currency, rate = _currency(top)
    settings = {full: read.ranged(full, number(name, top[name])) for name, full in short.items()}
    if (price := top.get("electricity_price")) is not None:
        told = read.ranged("electricity_price", number("electricity_price", price))
        settings["electricity_usd_per_kwh"] = Range(told.low * rate, told.mid * rate, told.high * rate)
    checked: dict[str, Any] = {name: text(name, value) for name, value in place.items()}
    checked["settings"] = {name: f"{r.low!r}:{r.mid!r}:{r.high!r}" for name, r in settings.items()}
    check_place(site_words(checked), catalog)
    partitions = named("partitions", top.get("partitions"))
    return SiteFile(
        path=str(path),
        cluster=text("cluster", top.get("cluster", ""), may_lack=True),
        timezone=_timezone(top.get("timezone")),
        words=checked,
        currency=currency,
        usd_per_currency=rate,
        partitions=tuple(_partition(name, value, rate, catalog) for name, value in partitions.items()),
        gres={
            name.casefold(): _gres(f"gres.{name}", value, catalog)
            for name, value in named("gres", top.get("gres")).items()
        },
        billing=None if top.get("billing") is None else _billing(top["billing"], rate),
        consumed_energy=one_of("consumed_energy", top.get("consumed_energy", "ignore"), CONSUMED),
        ipmi_has_accelerators=IPMI[one_of("ipmi", top.get("ipmi", "ignore"), tuple(IPMI))],
    )


def _timezone(value: Any) -> str:
    if value is None:
        return ""
    told = text("timezone", value)
    try:
        ZoneInfo(told)
    except (OSError, ValueError, LookupError):
        raise InputError("timezone", told, "is not known here", "write such as Europe/Zurich or UTC") from None
    return told


def _currency(top: Mapping[str, Any]) -> tuple[str, float]:
    currency = text("currency", top.get("currency", DOLLAR)).upper()
    if not (len(currency) == len(DOLLAR) and currency.isascii() and currency.isalpha()):
        raise InputError("currency", currency, "must be three letters", "write such as EUR")
    if currency == DOLLAR:
        return currency, 1.0
    if top.get("usd_per_currency") is None:
        fix = f"add usd_per_currency: how many dollars one {currency} is, for prices that come from tables"
        raise InputError("currency", currency, "is not the tables' USD", fix)
    rate = read.quantity("usd_per_currency", number("usd_per_currency", top["usd_per_currency"]))
    return currency, rate


def _setting(name: str) -> str | None:
    try:
        return read.setting_field(name, SETTINGS)
    except UnknownName:
        return None


def _accelerator(name: str, value: Any, catalog: Catalog) -> str:
    told = text(name, value)
    return _of_catalog(name, told, lambda: catalog.accelerator(told)).id  # type: ignore[no-any-return]


def _of_catalog(name: str, value: str, get: Callable[[], Any]) -> Any:
    """A row, or its error under the name of the file's field."""
    try:
        return get()
    except InputError as error:
        raise InputError(name, value, error.bound, error.fix) from None


def _partition(name: str, value: Any, rate: float, catalog: Catalog) -> Partition:
    where = f"partitions.{name}"
    if isinstance(value, str) and value.strip() in NOTHING:
        return Partition(name)
    told = fields_of(where, value, _OF_PARTITION)
    device = None
    if "accelerator" in told:
        device = _accelerator(f"{where}.accelerator", told["accelerator"], catalog)
    count = None
    if "accelerators_per_node" in told:
        count_of = f"{where}.accelerators_per_node"
        count = read.whole(count_of, number(count_of, told["accelerators_per_node"]))
    host_w = None
    if "host_w" in told:
        if "node" in told:
            raise InputError(f"{where}.host_w", shown(told["host_w"]), "stands beside node", "keep one of them")
        host_w = read.ranged(f"{where}.host_w", number(f"{where}.host_w", told["host_w"]))
    elif "node" in told:
        device, count, host_w = _node(where, told, device, count, catalog)
    price = told.get("price_per_accelerator_hour")
    return Partition(
        name,
        device,
        count,
        host_w,
        flag(f"{where}.exclusive", told.get("exclusive", "false")),
        None if price is None else amount(f"{where}.price_per_accelerator_hour", price) * rate,
        None if "weights" not in told else _weights(f"{where}.weights", told["weights"]),
    )


def _node(
    where: str, told: Mapping[str, Any], device: str | None, count: int | None, catalog: Catalog
) -> tuple[str, int, Range]:
    """What a node of the catalog carries, and its watts beside that: from idle to its most, the middle halfway."""
    name = text(f"{where}.node", told["node"])
    node = _of_catalog(f"{where}.node", name, lambda: catalog.node(name))
    if device is not None and node.accelerator != device:
        fix = f"leave accelerator out, or name a node with {device}"
        raise InputError(f"{where}.node", name, f"carries {node.accelerator}", fix)
    known = _of_catalog(f"{where}.node", name, lambda: catalog.accelerator(node.accelerator))
    low_w = max(node.idle_w - node.accelerator_count * (known.idle_w or 0.0), 0.0)
    high_w = max(node.max_w - node.accelerator_count * known.tdp_w, low_w)
    return known.id, count or node.accelerator_count, Range(low_w, (low_w + high_w) / 2, high_w)


def _gres(name: str, value: Any, catalog: Catalog) -> Gres:
    if isinstance(value, str):
        return Gres(_accelerator(name, value, catalog))
    told = fields_of(name, value, _OF_GRES)
    if "accelerator" not in told:
        raise InputError(name, None, "names no accelerator", "write accelerator: h100-sxm")
    share = amount(f"{name}.share", told.get("share", "1"))
    if not 0 < share <= 1:
        raise InputError(f"{name}.share", share, "must be above 0 and at most 1", "write the part of a device, 0.5")
    return Gres(_accelerator(f"{name}.accelerator", told["accelerator"], catalog), share)


def _billing(value: Any, rate: float) -> Billing:
    told = fields_of("billing", value, _OF_BILLING)
    if "weights" not in told:
        fix = "write weights: {gres/gpu: 6, cpu: 0.1}, or weights: slurm for SLURM's own"
        raise InputError("billing.weights", None, "are missing", fix)
    weights = {} if told["weights"] == _OWN_UNITS else _weights("billing.weights", told["weights"])
    price = told.get("price")
    return Billing(
        text("billing.unit", told.get("unit", "billing unit")),
        weights,
        one_of("billing.combine", told.get("combine", "sum"), _COMBINED) == "max",
        None if price is None else amount("billing.price", price) * rate,
    )


def _weights(name: str, value: Any) -> dict[str, float]:
    """Units an hour, by TRES as sacct names them; memory by GB."""
    found = {}
    for told, weight in fields_of(name, value, None).items():
        tres = told.strip().casefold()
        tres = f"gres/{tres}" if tres == "gpu" or tres.startswith("gpu:") else tres
        if tres not in ("cpu", "mem", "node") and not tres.startswith("gres/"):
            known = ("cpu", "mem", "node", "gres/gpu")
            raise UnknownName(name, told[:_MOST_NAME], known, "write cpu, mem (by GB), node, gres/gpu or gres/gpu:TYPE")
        found[tres] = amount(f"{name}.{told[:_MOST_NAME]}", weight)
    if not found:
        raise InputError(name, None, "are missing", "write such as gres/gpu: 6")
    return found
