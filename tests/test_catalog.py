"""Look-ups by id, alias and driver name; a user's folder over the shipped one; each kind of wrong row refused."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from footprint.catalog import TABLES, Catalog, open_catalog
from footprint.errors import DataError, InputError, UnknownName
from footprint.values import Range

DATA = Path(__file__).resolve().parent.parent / "data"
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog(DATA)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an override file from shipped rows with some cells changed; returns its folder."""

    def _write(table: str, *changes: dict[str, str], without: str = "", renamed: dict[str, str] | None = None) -> Path:
        with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as text:
            shipped = list(csv.DictReader(text))
        by_key = {row[TABLES[table][0]]: row for row in shipped}
        rows = [{**by_key[change.pop("like")], **change} for change in map(dict, changes)]
        columns = [name for name in shipped[0] if name != without]
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
        writer.writerow({name: (renamed or {}).get(name, name) for name in columns})
        writer.writerows(rows)
        (tmp_path / f"{table}.csv").write_text(out.getvalue(), encoding="utf-8")
        return tmp_path

    return _write


def refused(folder: Path, table: str, match: str) -> DataError:
    with pytest.raises(DataError, match=match) as caught:
        Catalog(DATA, folder).rows(table)
    assert caught.value.path.name == f"{table}.csv"
    return caught.value


# ---- look-ups


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("h100-sxm5-80gb", "h100-sxm5-80gb"),
        ("h100", "h100-sxm5-80gb"),
        ("H100 SXM", "h100-sxm5-80gb"),
        ("h100-80gb", "h100-sxm5-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm5-80gb"),
        ("nvidia h100 pcie", "h100-pcie-80gb"),
        ("A100", "a100-sxm4-80gb"),
        ("a100-40gb", "a100-sxm4-40gb"),
        ("A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("v100", "v100-sxm2-32gb"),
        ("Tesla T4", "t4"),
        ("trillium", "tpu-v6e"),
        ("ironwood", "tpu-v7"),
        ("v4", "tpu-v4"),
        ("rtx4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("MI300X", "mi300x"),
        ("GB200", "gb200"),
    ],
)
def test_people_and_drivers_names_lead_to_the_row(catalog: Catalog, name: str, expected: str) -> None:
    assert catalog.accelerator(name).id == expected


def test_nvidia_h100_alone_is_two_parts_told_apart_by_memory(catalog: Catalog) -> None:
    with pytest.raises(InputError, match=r"h100-sxm5-64gb .*h100-sxm5-96gb .*memory_gb"):
        catalog.accelerator("NVIDIA H100")
    assert catalog.accelerator("NVIDIA H100", memory_gb=68.2).id == "h100-sxm5-64gb"
    assert catalog.accelerator("NVIDIA H100", memory_gb=95.6).id == "h100-sxm5-96gb"
    assert catalog.accelerator("h100", memory_gb=80).id == "h100-sxm5-80gb"


def test_a_part_with_other_memory_than_the_table_is_not_taken_for_it(catalog: Catalog) -> None:
    with pytest.raises(InputError, match=r"memory_gb = 8.6: fits no NVIDIA GeForce RTX 4060 Ti: rtx-4060-ti-16gb"):
        catalog.accelerator("NVIDIA GeForce RTX 4060 Ti", memory_gb=8.6)


def test_a_mistyped_accelerator_is_answered_with_near_names(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match=r"did you mean h100-sxm .*see: footprint catalog accelerators") as caught:
        catalog.accelerator("h100-smx")
    assert "h100-sxm" in caught.value.suggestions


def test_an_accelerator_without_tdp_is_listed_but_refused(catalog: Catalog) -> None:
    assert [row["id"] for row in catalog.find("accelerators", "trainium1")] == ["trainium1"]
    assert "trainium1" not in {device.id for device in catalog.accelerators()}
    with pytest.raises(InputError, match=r"accelerator = 'trainium1': has no tdp_w"):
        catalog.accelerator("trn1")


def test_peaks_are_dense_flop_per_s_by_precision(catalog: Catalog) -> None:
    assert dict(catalog.accelerator("b200").peak_flop_per_s)["fp4"] == 9e15
    assert [name for name, _ in catalog.accelerator("a100").peak_flop_per_s] == ["fp32", "tf32", "fp16", "bf16"]
    assert "bf16" not in dict(catalog.accelerator("v100").peak_flop_per_s)


def test_nodes_carry_watts_and_are_found_by_accelerator_and_provider(catalog: Catalog) -> None:
    assert catalog.node("DGX-H100").max_w == 10_200
    ids = [node.id for node in catalog.nodes_for("h100-sxm5-80gb", "aws")]
    assert ids == ["aws-p5.48xlarge"]
    assert len(catalog.nodes_for("h100-sxm5-80gb")) > len(ids)
    assert catalog.nodes_for("h100-sxm5-80gb", "nobody") == ()
    with pytest.raises(InputError, match=r"node = 'aws-trn1.32xlarge': has no max_w"):
        catalog.node("aws-trn1.32xlarge")
    with pytest.raises(UnknownName, match=r"did you mean .*dgx-h100"):
        catalog.node("dgx-h10")


def test_a_bare_region_is_taken_when_one_provider_has_it(catalog: Catalog) -> None:
    assert catalog.region("aws/us-east-1")["zone"] == "US-MIDA-PJM"
    assert catalog.region("US-EAST-1")["id"] == "aws/us-east-1"
    with pytest.raises(UnknownName, match=r"region = 'us-east-11': .*us-east-1"):
        catalog.region("us-east-11")


def test_a_bare_region_of_two_providers_is_refused(write: Write) -> None:
    folder = write("regions", {"like": "aws/us-east-1", "id": "oci/us-east-1", "provider": "oci"})
    with pytest.raises(InputError, match="several providers; write aws/us-east-1 or oci/us-east-1"):
        Catalog(DATA, folder).region("us-east-1")


def test_a_facility_is_the_fleets_row_nearest_in_year_and_not_after_it(catalog: Catalog) -> None:
    assert catalog.facility("aws", 2023)["pue"] == 1.15
    assert catalog.facility("meta", 2016)["year"] == 2014
    assert catalog.facility("meta", 2010)["year"] == 2014
    assert catalog.facility("gcp")["operator"] == "google"
    assert catalog.facility("azure", 2025, having="wue_l_per_kwh")["wue_l_per_kwh"] == 0.27
    assert catalog.facility("generic", site="colocation default")["pue"] == 1.4
    with pytest.raises(UnknownName, match=r"operator = 'gogle': .*did you mean google"):
        catalog.facility("gogle")
    with pytest.raises(UnknownName, match="site = 'moon'"):
        catalog.facility("scaleway", site="moon")


def test_constants_optimizers_and_sources_by_id(catalog: Catalog) -> None:
    assert catalog.constant("lifetime_h") == Range(26_280, 43_800, 52_560)
    assert "5th" in str(catalog.constant_row("operator_pue_ratio")["note"])
    assert catalog.optimizer("adamw")["states_bytes"] == 12
    assert "ODbL" in str(catalog.source("electricitymaps_yearly")["licence"])
    for call, match in (
        (catalog.constant, "constant = 'life_h'"),
        (catalog.optimizer, "optimizer = 'life_h'"),
        (catalog.source, "source = 'life_h'"),
        (catalog.rows, "table = 'life_h'"),
    ):
        with pytest.raises(UnknownName, match=match):
            call("life_h")


def test_search_needs_every_word_in_a_name_and_passes_over_remarks(catalog: Catalog) -> None:
    found = {row["id"] for row in catalog.find("nodes", "AWS h100")}
    assert found == {"aws-p5.48xlarge"}  # the H200 nodes only name the H100 in how their power was derived
    assert catalog.find("nodes", "no such words") == ()
    assert len(catalog.find("nodes")) == len(catalog.rows("nodes"))


def test_cells_are_numbers_text_or_none(catalog: Catalog) -> None:
    row = next(row for row in catalog.rows("runs") if row["id"] == "llama1-7b")
    assert row["accelerator_hours"] == 82_432.0
    assert row["n_layers"] == 32
    assert isinstance(row["n_layers"], int)
    assert row["precision"] == "bf16"
    assert row["reported_mfu"] is None


def test_rows_cannot_be_written_to(catalog: Catalog) -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        catalog.rows("nodes")[0]["max_w"] = 1  # type: ignore[index]


# ---- a user's folder


def test_a_row_with_a_known_key_replaces_and_any_other_adds(write: Write, catalog: Catalog) -> None:
    folder = write(
        "accelerators",
        {"like": "h100-sxm5-80gb", "tdp_w": "500"},
        {"like": "h100-sxm5-80gb", "id": "my-chip", "aliases": "mine", "nvml_names": "", "nvml_names_recalled": ""},
    )
    own = Catalog(DATA, folder)
    assert own.accelerator("h100").tdp_w == 500
    assert catalog.accelerator("h100").tdp_w == 700
    assert own.accelerator("mine").id == "my-chip"
    assert len(own.rows("accelerators")) == len(catalog.rows("accelerators")) + 1
    assert own.rows("nodes") == catalog.rows("nodes")


def test_columns_may_stand_in_any_order_and_the_file_may_come_from_a_spreadsheet(write: Write) -> None:
    folder = write("optimizers", {"like": "adamw", "states_bytes": "16"})
    path = folder / "optimizers.csv"
    with path.open(newline="") as text:
        rows = [row[::-1] for row in csv.reader(text)]
    quoted = "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in rows)
    path.write_bytes(("\ufeff" + quoted + "\r\n\r\n").encode("utf-8"))
    assert Catalog(DATA, folder).optimizer("adamw")["states_bytes"] == 16


def test_an_alias_that_names_two_accelerators_is_refused(write: Write) -> None:
    folder = write("accelerators", {"like": "a100-sxm4-80gb", "id": "other", "aliases": "h100"})
    with pytest.raises(DataError, match="'h100' names both h100-sxm5-80gb and other"):
        Catalog(DATA, folder).accelerator("t4")


def test_check_finds_an_accelerator_that_no_row_describes(write: Write) -> None:
    folder = write("nodes", {"like": "dgx-h100", "id": "my-node", "accelerator": "h1000"})
    with pytest.raises(DataError, match=r"accelerator: 'h1000' \(row my-node\) is not in accelerators.csv"):
        Catalog(DATA, folder).check()


def test_the_environment_names_a_folder_and_an_argument_wins(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("FOOTPRINT_DATA", str(write("optimizers", {"like": "adamw", "states_bytes": "16"})))
    assert open_catalog().optimizer("adamw")["states_bytes"] == 16
    other = tmp_path_factory.mktemp("other")
    (other / "optimizers.csv").write_text((DATA / "optimizers.csv").read_text(encoding="utf-8"), encoding="utf-8")
    assert open_catalog(other).optimizer("adamw")["states_bytes"] == 12
    assert open_catalog() is open_catalog()


def test_a_missing_empty_or_unknown_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder; give a folder with tables"):
        Catalog(DATA, tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no table; name its files as"):
        Catalog(DATA, tmp_path)
    (tmp_path / "price.csv").write_text("id\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"price.csv: is not a known table; did you mean prices"):
        Catalog(DATA, tmp_path)


def test_a_shipped_table_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nodes.csv: cannot be read .*restore the file"):
        Catalog(tmp_path).rows("nodes")
    (tmp_path / "nodes.csv").write_text("name,max_w\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"nodes.csv, line 1, column id: is missing; restore"):
        Catalog(tmp_path).rows("nodes")


# ---- wrong rows


def test_an_unknown_column_is_answered_with_the_near_one(write: Write) -> None:
    folder = write("accelerators", {"like": "t4"}, renamed={"tdp_w": "tdp"})
    error = refused(folder, "accelerators", "column tdp: is not a known column; did you mean tdp_w")
    assert (error.line, error.column) == (1, "tdp")


def test_a_missing_and_a_doubled_column_are_refused(write: Write) -> None:
    assert refused(write("nodes", {"like": "dgx-h100"}, without="idle_w"), "nodes", "is missing").column == "idle_w"
    folder = write("nodes", {"like": "dgx-h100"}, renamed={"idle_w": "max_w"})
    assert refused(folder, "nodes", "stands twice in the header").column == "max_w"


@pytest.mark.parametrize(
    ("table", "change", "match"),
    [
        ("nodes", {"max_w": "10.2 kW"}, "line 3, column max_w: '10.2 kW' is not a number; write digits"),
        ("nodes", {"max_w": "nan"}, "column max_w: nan is not a finite number"),
        ("nodes", {"max_w": "inf"}, "column max_w: inf is not a finite number"),
        ("nodes", {"idle_w": "-5"}, "column idle_w: -5.0 must be 0 or more"),
        ("nodes", {"max_w": "0"}, "column max_w: 0.0 must be above 0"),
        ("nodes", {"source": " "}, "column source: is empty"),
        ("nodes", {"as_of": ""}, "column as_of: is empty"),
        ("nodes", {"id": ""}, "column id: is empty"),
        ("nodes", {"provenance": "guessed"}, "column provenance: 'guessed' must be one of read, recalled, derived"),
    ],
)
def test_a_wrong_cell_is_told_with_line_and_column(
    write: Write, table: str, change: dict[str, str], match: str
) -> None:
    assert refused(write(table, {"like": "dgx-1-v100"}, {"like": "dgx-h100", **change}), table, match).line == 3


@pytest.mark.parametrize(
    ("table", "change", "match"),
    [
        ("facilities", {"like": "aws", "pue": "0.9"}, "column pue: 0.9 must be 1 or more"),
        ("region_years", {"like": "aws/us-east-1", "cfe_annual_share": "95"}, "95.0 must be between 0 and 1"),
        ("regions", {"like": "aws/us-east-1", "latitude": "-91"}, "-91.0 must be between -90 and 90"),
        ("grid_profiles", {"like": "US-MIDA-PJM", "hour_utc": "24"}, "24.0 must be between 0 and 23"),
        ("runs", {"like": "llama1-7b", "n_layers": "32.5"}, "column n_layers: 32.5 must be a whole number"),
        ("constants", {"like": "pue", "low": "1.3"}, "column mid: 1.25 is below low = 1.3; write them in rising order"),
        ("constants", {"like": "pue", "mid": "", "low": "1.6"}, "column high: 1.56 is below low = 1.6"),
        (
            "accelerators",
            {"like": "h100-sxm5-80gb", "embodied_high_kgco2e": "150"},
            "150 is below embodied_kgco2e = 164",
        ),
        ("accelerators", {"like": "h100-sxm5-80gb", "embodied_low_kgco2e": "170"}, "164 is below embodied_low_kgco2e"),
    ],
)
def test_an_impossible_value_is_refused(write: Write, table: str, change: dict[str, str], match: str) -> None:
    assert refused(write(table, change), table, match).line == 2


def test_a_constant_without_all_three_numbers_is_refused(write: Write) -> None:
    folder = write("constants", {"like": "pue", "high": ""})
    with pytest.raises(DataError, match="pue has an empty cell; write low, mid and high"):
        Catalog(DATA, folder).constant("pue")


def test_a_key_that_stands_twice_is_refused(write: Write) -> None:
    folder = write("nodes", {"like": "dgx-h100"}, {"like": "dgx-2"}, {"like": "dgx-h100"})
    assert refused(folder, "nodes", "'dgx-h100' stands twice; keep one row a key").line == 4


def test_a_ragged_row_is_refused_also_after_a_cell_of_two_lines(write: Write) -> None:
    folder = write("nodes", {"like": "dgx-h100", "note": "two\nlines"}, {"like": "dgx-2"})
    path = folder / "nodes.csv"
    assert next(row for row in Catalog(DATA, folder).rows("nodes") if row["id"] == "dgx-h100")["note"] == "two\nlines"
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + ",surplus\n", encoding="utf-8")
    assert refused(folder, "nodes", r"has 26 cells, the header has 25").line == 4


def test_a_file_that_is_no_utf8_or_no_csv_or_empty_is_refused(write: Write) -> None:
    folder = write("nodes", {"like": "dgx-h100"}, {"like": "dgx-2", "note": "caf"})
    path = folder / "nodes.csv"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"caf", b"caf\xe9"))
    assert refused(folder, "nodes", "is not UTF-8; save the file as UTF-8").line == 3
    path.write_bytes(good.replace(b"caf", b'"caf'))
    refused(folder, "nodes", "is not CSV .*check the quotes")
    path.write_bytes(good.replace(b",caf,", b',"caf"x,'))
    refused(folder, "nodes", "is not CSV .*check the quotes")
    path.write_bytes(b"")
    assert refused(folder, "nodes", "has no header; write the columns").line == 1


# ---- digest and speed


def test_the_digest_changes_with_any_file_and_only_then(write: Write, catalog: Catalog) -> None:
    folder = write("optimizers", {"like": "adamw"})
    first = Catalog(DATA, folder).digest()
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert first != catalog.digest()
    assert first == Catalog(DATA, folder).digest()
    write("optimizers", {"like": "adamw", "states_bytes": "16"})
    assert Catalog(DATA, folder).digest() != first


def test_only_the_tables_asked_for_are_read_and_each_once(write: Write) -> None:
    folder = write("nodes", {"like": "dgx-h100", "max_w": "broken"})
    own = Catalog(DATA, folder)
    assert own.accelerator("h100").tdp_w == 700
    assert own.rows("optimizers")[0] is own.rows("optimizers")[0]
    refused(folder, "nodes", "'broken' is not a number")


@pytest.mark.clock
def test_the_tables_of_an_estimate_are_read_in_a_moment() -> None:
    """12 ms on the machine where it was measured, 2.5 for the digest; ten times that is a fault anywhere."""
    tables = ("accelerators", "nodes", "grid_open", "grid_odbl", "grid_water", "grid_marginal")
    reading, hashing = [], []
    for _ in range(3):
        fresh = Catalog(DATA)
        start = time.perf_counter()
        for table in tables:
            fresh.rows(table)
        middle = time.perf_counter()
        fresh.digest()
        reading.append(middle - start)
        hashing.append(time.perf_counter() - middle)
    assert min(reading) < 0.15
    assert min(hashing) < 0.05
