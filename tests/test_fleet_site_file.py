"""A site's file: what may stand in it, what is refused and how, and the example; jobstats' comments."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footprint.catalog import open_catalog
from footprint.errors import InputError, UnknownName
from footprint.fleet.js1 import utilizations
from footprint.fleet.site_file import Gres, SiteFile, read_site, site_named
from footprint.values import Range

EXAMPLE = Path(__file__).parent.parent / "examples" / "site.yaml"
CATALOG = open_catalog()


def site_of(text: str, folder: Path) -> SiteFile:
    path = folder / "site.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return read_site(path, CATALOG)


# what may stand in it


def test_the_example_says_what_its_remarks_say() -> None:
    site = read_site(EXAMPLE, CATALOG)
    assert (site.cluster, site.timezone, site.currency) == ("tanager", "Europe/Zurich", "CHF")
    assert site.words["country"] == "CHE"
    assert site.words["settings"]["pue"] == "1.12:1.12:1.12"
    low, mid, high = map(float, site.words["settings"]["electricity_usd_per_kwh"].split(":"))
    assert (low, mid, high) == pytest.approx((0.18 * 1.12,) * 3, rel=1e-12)
    gpu, a100 = site.partitions
    assert (gpu.accelerator, gpu.accelerators_per_node) == ("h100-sxm5-80gb", 8)
    assert gpu.accelerator_usd_per_h == pytest.approx(2.4 * 1.12, rel=1e-12)
    assert gpu.host_w is not None
    assert gpu.host_w.high == pytest.approx(10200 - 8 * 700, rel=1e-12)
    assert a100.host_w == Range(400, 650, 900)
    assert a100.is_exclusive
    assert site.billing is not None
    assert dict(site.billing.weights) == {"gres/gpu": 6.0, "cpu": 0.05}
    assert (site.consumed_energy, site.ipmi_has_accelerators) == ("node", True)


def test_partitions_are_found_by_name_before_pattern() -> None:
    site = read_site(EXAMPLE, CATALOG)
    assert [one and one.name for one in map(site.partition, ("gpu", "a100-long", "cpu"))] == ["gpu", "a100-*", None]


def test_types_of_gres_are_the_files_the_catalogs_or_parts_of_one() -> None:
    site = read_site(EXAMPLE, CATALOG)
    assert site.gres_of("hopper", CATALOG) == Gres("h100-sxm5-80gb")
    assert site.gres_of("half_a100", CATALOG) == Gres("a100-sxm4-80gb", 0.5)
    assert site.gres_of("h100-sxm", CATALOG) == Gres("h100-sxm5-80gb")
    part = site.gres_of("a100-80gb_3g.40gb", CATALOG)
    assert part == Gres("a100-sxm4-80gb", 3 / 7)
    assert site.gres_of("nobody", CATALOG) is None


@pytest.mark.parametrize(
    ("kind", "device", "share"),
    [
        ("nvidia_h100_80gb_hbm3", "h100-sxm5-80gb", 1), ("nvidia_a100-sxm4-40gb", "a100-sxm4-40gb", 1),
        ("tesla_v100-sxm2-16gb", "v100-sxm2-16gb", 1), ("nvidia_a100-sxm4-40gb_1g.5gb", "a100-sxm4-40gb", 1 / 7),
        ("nvidia_h100_80gb_hbm3_3g.40gb", "h100-sxm5-80gb", 3 / 7), ("a100:1g.10gb", "a100-sxm4-80gb", 1 / 7),
    ],
)  # fmt: skip
def test_types_that_slurm_makes_of_the_drivers_names_are_known(kind: str, device: str, share: float) -> None:
    assert SiteFile().gres_of(kind, CATALOG) == Gres(device, pytest.approx(share, rel=1e-12))


def test_a_country_that_yaml_takes_for_false_and_a_range_that_it_takes_for_minutes_are_what_stands_there(
    tmp_path: Path,
) -> None:
    site = site_of("country: NO\nlocation_intensity_g_per_kwh: 20:40\npue: [1.1, 1.2, 1.4]\n", tmp_path)
    assert site.words["country"] == "NO"
    assert site.words["settings"] == {"location_intensity_g_per_kwh": "20.0:30.0:40.0", "pue": "1.1:1.2:1.4"}


def test_what_is_empty_is_not_told(tmp_path: Path) -> None:
    assert site_of("pue:\ncluster: ~\npartitions:\n  gpu:\n", tmp_path).words["settings"] == {}


def test_a_users_words_stand_above_the_sites_and_a_place_replaces_its_place() -> None:
    site = SiteFile(words={"country": "CHE", "settings": {"pue": "1.1:1.1:1.1"}})
    assert site.under({"region": "aws/us-east-1", "settings": {"pue": "1.3"}}) == {
        "region": "aws/us-east-1", "settings": {"pue": "1.3"}
    }  # fmt: skip
    assert site.under({})["country"] == "CHE"


def test_the_file_is_named_or_the_environments(tmp_path: Path) -> None:
    assert site_named(None, {}, CATALOG) == SiteFile()
    assert site_named(None, {"FOOTPRINT_SITE": str(EXAMPLE)}, CATALOG).cluster == "tanager"


# what is refused


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("puu: 1.2", "site = 'puu': is not a known name; did you mean pue"),
        ("pue: 0.9", "pue = '0.9': must be at least 1"),
        ("pue: many", "pue = 'many': is not a number"),
        ("pue: {a: 1}", "pue = 'fields': is not a number"),
        ("- 1", "site = 'a list': is no list of fields"),
        ("", "site = 'nothing': is no list of fields"),
        ("country: Utopia", "country or zone = 'Utopia': is not a known name"),
        ("timezone: Mars/Olympus", "timezone = 'Mars/Olympus': is not known here"),
        ("timezone: ../../etc/passwd", "timezone = '../../etc/passwd': is not known here"),
        ("currency: EUR", "currency = 'EUR': is not the tables' USD; add usd_per_currency"),
        ("currency: Euro", "currency = 'EURO': must be three letters"),
        ("pue: 1.1\npue: 1.2", "site = 'pue': stands twice below line 1"),
        ("pue: [", "is not YAML at line 2, column 1"),
        ("partitions:\n  gpu: {accelerator: h100-sxn}", "partitions.gpu.accelerator = 'h100-sxn': .*did you mean"),
        ("partitions:\n  gpu: {acelerator: h100}", "partitions.gpu = 'acelerator': .*did you mean accelerator"),
        ("partitions:\n  gpu: {accelerators_per_node: 2.5}", "accelerators_per_node = '2.5': must be a whole number"),
        ("partitions:\n  gpu: {accelerators_per_node: 0}", "accelerators_per_node = '0': must be at least 1"),
        ("partitions:\n  gpu: {host_w: -3}", "partitions.gpu.host_w = '-3': must be above 0"),
        ("partitions:\n  gpu: {host_w: 3, node: dgx-h100}", "host_w = '3': stands beside node"),
        ("partitions:\n  gpu: {node: dgx-h10}", "partitions.gpu.node = 'dgx-h10': .*did you mean"),
        ("partitions:\n  gpu: {node: dgx-h100, accelerator: a100-80gb}", "carries h100-sxm5-80gb; leave acc"),
        ("partitions:\n  gpu: {exclusive: perhaps}", "exclusive = 'perhaps': is neither true nor false"),
        ("partitions:\n  gpu: {price_per_accelerator_hour: -1}", "hour = '-1': must be at least 0"),
        ("gres: {x: {share: 0.5}}", "gres.x: names no accelerator"),
        ("gres: {x: {accelerator: h100-sxm, share: 2}}", "gres.x.share = 2.0: must be above 0 and at most 1"),
        ("billing: {unit: hour}", "billing.weights: are missing"),
        ("billing: {weights: {cpus: 1}}", "billing.weights = 'cpus': .*did you mean cpu"),
        ("billing: {weights: {cpu: 1}, combine: mean}", "combine = 'mean': is not a known name"),
        ("consumed_energy: gpu", "consumed_energy = 'gpu': is not a known name; .*rapl, node, ignore"),
        ("ipmi: yes", "ipmi = 'yes': is not a known name"),
        ("&a [*a]", "is not YAML at line 1, column 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_field_value_bound_and_fix(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        site_of(text + "\n", tmp_path)


def test_a_file_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read .*see examples/site.yaml"):
        read_site(tmp_path / "none.yaml", CATALOG)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not YAML at"):
        read_site(tmp_path / "bytes.yaml", CATALOG)


FIELDS = (
    "pue", "country", "partitions", "gres", "billing", "weights", "currency", "EUR", "usd_per_currency", "timezone",
    "UTC", "gpu", "node", "dgx-h100", "host_w", "accelerator", "h100-sxm", "exclusive", "true", "cluster",
)  # fmt: skip
SIGNS = (
    *"[]{}-&*!|>'\"#,:@%\\~\x00\ud800\n",
    "\n  ",
    ": ",
    "\n    ",
    "&a ",
    "*a",
    "<<: *a",
    "1.2",
    "1:2",
    "1e400",
    ".nan",
)
PARTS = st.sampled_from((*FIELDS, *SIGNS))


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, max_size=14).map("".join) | st.text(max_size=60))
def test_any_text_is_a_site_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(site_of(text, tmp_path_factory.getbasetemp()), SiteFile)


# JS1


def zipped(content: bytes) -> bytes:
    """The same at any time: names of tests hold it."""
    return gzip.compress(content, mtime=0)


def js1(content: object) -> str:
    return "JS1:" + base64.b64encode(zipped(json.dumps(content).encode())).decode()


def test_a_comment_of_jobstats_tells_how_busy_each_device_was() -> None:
    told = {"gpus": 3, "total_time": 60, "nodes": {"a": {"gpu_utilization": {"0": 98.6, "1": 0}}, "b": {
        "cpus": 4, "gpu_utilization": {"3": 50}}, "c": {"cpus": 4}}}  # fmt: skip
    assert utilizations(js1(told)) == pytest.approx((0.986, 0.0, 0.5), rel=1e-12)


@pytest.mark.parametrize("told", ["", "JS1:None", "JS1:Short", "JS1:", "user's own words", "js1:x"])
def test_what_is_no_such_comment_tells_nothing(told: str) -> None:
    assert utilizations(told) == ()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("JS1:****", "is not base64"),
        ("JS1:aGVsbG8=", "is not gzip"),
        ("JS1:" + base64.b64encode(zipped(b"\0" * 3_000_000)).decode(), "unpacks to more than 1000000 bytes"),
        ("JS1:" + base64.b64encode(zipped(b"{}")[:-9]).decode(), "is cut short"),
        ("JS1:" + base64.b64encode(zipped(b"\xff{")).decode(), "is not JSON"),
        ("JS1:" + base64.b64encode(zipped(b"[" * 200_000)).decode(), "is nested too deeply|is not JSON"),
        (js1([1]), "has no nodes"),
        (js1({"nodes": {"a": 3}}), "without a table"),
        (js1({"nodes": {"a": {"gpu_utilization": [1]}}}), "without a table"),
        (js1({"nodes": {"a": {"gpu_utilization": {"0": "x"}}}}), "no number"),
        (js1({"nodes": {"a": {"gpu_utilization": {"0": True}}}}), "no number"),
        (js1({"nodes": {"a": {"gpu_utilization": {"0": 101}}}}), "no percentage"),
        (js1({"nodes": {"a": {"gpu_utilization": {"0": float("nan")}}}}), "no number"),
    ],
)
def test_a_comment_that_cannot_be_read_says_why(told: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        utilizations(told)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.booleans(), st.booleans())
def test_any_bytes_are_utilizations_or_a_reason(content: bytes, is_zipped: bool, is_coded: bool) -> None:
    packed = zipped(content) if is_zipped else content
    told = base64.b64encode(packed).decode() if is_coded else packed.decode("latin-1")
    with contextlib.suppress(ValueError):
        assert all(0 <= share <= 1 for share in utilizations("JS1:" + told))


def test_an_unknown_name_carries_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="clustr") as caught:
        site_of("clustr: x\n", tmp_path)
    assert caught.value.suggestions[0] == "cluster"
