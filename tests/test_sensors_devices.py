"""Which devices are mine: every form of the variables that choose them, as CUDA, SLURM and containers read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footprint.measurement.sensors.devices import Instance, Present, Selection, mine

UUIDS = (
    "GPU-11111111-aaaa-bbbb-cccc-000000000000",
    "GPU-11112222-aaaa-bbbb-cccc-000000000001",
    "GPU-33333333-aaaa-bbbb-cccc-000000000002",
    "GPU-44444444-aaaa-bbbb-cccc-000000000003",
)
FOUR = tuple(
    Present(index=i, uuid=uuid, name="NVIDIA H100 80GB HBM3", bus_id=f"00000000:0{i}:00.0", minor=i)
    for i, uuid in enumerate(UUIDS)
)
INSTANCES = (
    Instance("MIG-aaaaaaaa-0000-0000-0000-000000000001", 1, 0, 3),
    Instance("MIG-bbbbbbbb-0000-0000-0000-000000000002", 2, 0, 2),
    Instance("MIG-cccccccc-0000-0000-0000-000000000003", 5, 0, 2),
)
WITH_MIG = (FOUR[0], replace(FOUR[1], is_partitioned=True, instances=INSTANCES, slices_count=7), *FOUR[2:])
FAST_LAST = (
    replace(FOUR[0], name="NVIDIA T4", speed=(10.0, 7.0)),
    replace(FOUR[1], name="NVIDIA L4", speed=(30.0, 8.0)),
    replace(FOUR[2], name="NVIDIA H100 PCIe", speed=(90.0, 9.0)),
    replace(FOUR[3], name="NVIDIA T4", speed=(10.0, 7.0)),
)


def ids(selection: Selection) -> list[str]:
    return [one.id for one in selection.chosen]


def indices(selection: Selection) -> list[int]:
    return [one.device.index for one in selection.chosen]


def visible(text: str, devices: Sequence[Present] = FOUR, **more: str) -> Selection:
    return mine({"CUDA_VISIBLE_DEVICES": text, **more}, devices)


def test_without_any_variable_all_devices_are_mine() -> None:
    selection = mine({}, FOUR)
    assert (indices(selection), selection.decided_by, selection.notes) == ([0, 1, 2, 3], "", ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", [0]),
        ("2,1", [2, 1]),  # the example of NVIDIA's guide
        ("0,2,-1,1", [0, 2]),  # likewise: what stands after an invalid entry is not seen
        ("-1", []),
        ("", []),
        ("   ", []),
        ("4", []),
        ("0,7,1", [0]),
        ("NoDevFiles", []),  # what SLURM sets for a job without devices
        ("none", []),
        (" 1 , 3 ", [1, 3]),
        ("+2", [2]),
        ("1gpu,2amp", [1, 2]),  # read as C reads numbers
        ("0x1", [0]),
        ("3,,1", [3]),
        ("1,GPU-33333333", [1]),  # numbers and UUIDs do not mix
        ("00", [0]),
        ("99999999999999999999999999", []),
        ("²", []),
        ("0,1,2,3", [0, 1, 2, 3]),
    ],
)
def test_whole_numbers_are_read_as_cuda_reads_them(text: str, expected: list[int]) -> None:
    selection = visible(text)
    assert (indices(selection), selection.decided_by) == (expected, "CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize("text", ["0,0", "1,2,1", "GPU-33333333,GPU-33333333-aaaa", "0,00"])
def test_a_device_named_twice_leaves_none_and_says_so(text: str) -> None:
    selection = visible(text)
    assert selection.chosen == ()
    assert "names a device twice" in selection.notes[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UUIDS[2], [2]),
        (f"{UUIDS[3]},{UUIDS[0]}", [3, 0]),
        ("GPU-3", [2]),
        ("GPU-33333333", [2]),
        (UUIDS[2].upper().replace("GPU", "GPU"), [2]),
        ("GPU-1111", []),  # two begin so
        ("GPU-11112", [1]),
        ("GPU-", []),
        ("GPU-44444444,GPU-ffff,GPU-33333333", [3]),
        ("GPU-44444444,0", [3]),
        ("GPU-44444444, GPU-33333333", [3, 2]),
    ],
)
def test_uuids_may_be_cut_short_while_one_device_alone_begins_so(text: str, expected: list[int]) -> None:
    assert indices(visible(text)) == expected


def test_an_entry_that_names_nothing_is_told() -> None:
    assert visible("GPU-ffff").notes == ("CUDA_VISIBLE_DEVICES: 'GPU-ffff' names no device here and ends the list",)
    assert visible("0,9").notes == ("CUDA_VISIBLE_DEVICES: there is no device 9 here, which ends the list",)


def test_numbers_count_devices_by_bus_whatever_order_the_driver_shows() -> None:
    assert indices(visible("0,3", FOUR[::-1])) == [0, 3]


def test_devices_of_several_models_are_counted_fastest_first_with_a_note() -> None:
    selection = visible("0", FAST_LAST)
    assert indices(selection) == [2]
    assert "fastest first, is approximated" in selection.notes[0]
    assert indices(visible("0,1", FAST_LAST)) == [2, 1]


def test_devices_of_several_models_are_counted_by_bus_where_that_is_asked_for() -> None:
    selection = visible("0", FAST_LAST, CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert (indices(selection), selection.notes) == ([0], ())


def test_the_order_does_not_matter_where_all_devices_are_named() -> None:
    selection = visible("0,1,2,3", FAST_LAST)
    assert (sorted(indices(selection)), selection.notes) == ([0, 1, 2, 3], ())


def test_what_cuda_has_already_made_visible_decides_where_the_order_is_unclear() -> None:
    environment = {"CUDA_VISIBLE_DEVICES": "1"}
    selection = mine(environment, FAST_LAST, lambda: (UUIDS[3],))
    assert (indices(selection), selection.notes) == ([3], ())
    strange = mine(environment, FAST_LAST, lambda: ("GPU-ffffffff",))
    assert indices(strange) == [1]
    assert len(strange.notes) == 1


def test_what_cuda_has_made_visible_is_not_asked_where_nothing_is_unclear() -> None:
    def never() -> Sequence[str]:
        raise AssertionError("asked")

    assert indices(mine({"CUDA_VISIBLE_DEVICES": "1"}, FOUR, never)) == [1]


# MIG


@pytest.mark.parametrize(
    "text",
    [
        INSTANCES[1].uuid,
        "MIG-bbbb",
        f"MIG-{UUIDS[1]}/2/0",
        "MIG-GPU-11112222/2/0",
    ],
)
def test_a_mig_instance_is_named_by_its_uuid_or_by_its_place_on_the_parent(text: str) -> None:
    (chosen,) = visible(text, WITH_MIG).chosen
    assert (chosen.id, chosen.device.uuid) == (INSTANCES[1].uuid, UUIDS[1])
    assert chosen.share == pytest.approx(2 / 7, abs=1e-12)


def test_instances_of_one_parent_add_up_to_their_slices() -> None:
    selection = visible(f"{INSTANCES[0].uuid},{INSTANCES[2].uuid}", WITH_MIG)
    assert sum(one.share for one in selection.chosen) == pytest.approx(5 / 7, abs=1e-12)
    assert "first MIG instance" in selection.notes[0]


def test_an_instance_that_is_not_there_names_nothing() -> None:
    assert visible("MIG-GPU-11112222/9/0", WITH_MIG).chosen == ()
    assert visible("MIG-dddd", WITH_MIG).chosen == ()
    assert visible("MIG-", WITH_MIG).chosen == ()


@pytest.mark.parametrize("text", ["1", "GPU-11112222"])
def test_a_parent_in_mig_mode_stands_for_its_first_instance(text: str) -> None:
    selection = visible(text, WITH_MIG)
    assert ids(selection) == [INSTANCES[0].uuid]
    assert "in MIG mode" in selection.notes[0]


def test_a_parent_without_instances_stands_for_nothing() -> None:
    bare = (FOUR[0], replace(FOUR[1], is_partitioned=True))
    selection = mine({}, bare)
    assert ids(selection) == [UUIDS[0]]
    assert "has no instance" in selection.notes[0]


# SLURM


@pytest.mark.parametrize("variable", ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS"])
@pytest.mark.parametrize(("text", "expected"), [("1,3", [1, 3]), ("0-1", [0, 1]), ("2", [2]), ("0,2-3", [0, 2, 3])])
def test_slurms_numbers_are_the_hosts(variable: str, text: str, expected: list[int]) -> None:
    selection = mine({variable: text}, FOUR)
    assert (indices(selection), selection.decided_by) == (expected, variable)


def test_a_job_that_sees_only_its_own_devices_has_them_all_whatever_their_numbers_on_the_host() -> None:
    assert indices(mine({"SLURM_JOB_GPUS": "5,7"}, FOUR[:2])) == [0, 1]


def test_slurms_numbers_are_those_of_the_device_files_where_the_driver_tells_them() -> None:
    swapped = (replace(FOUR[0], minor=1), replace(FOUR[1], minor=0), *FOUR[2:])
    assert indices(mine({"SLURM_STEP_GPUS": "0"}, swapped)) == [1]
    untold = tuple(replace(one, minor=None) for one in FOUR)
    assert indices(mine({"SLURM_STEP_GPUS": "0"}, untold)) == [0]


def test_cudas_variable_comes_before_slurms_and_the_step_before_the_job() -> None:
    assert indices(visible("0", SLURM_STEP_GPUS="3")) == [0]
    assert indices(mine({"SLURM_STEP_GPUS": "3", "SLURM_JOB_GPUS": "2,3"}, FOUR)) == [3]


@pytest.mark.parametrize(
    ("text", "devices", "told"),
    [
        ("gpu:a", FOUR, "not understood"),
        ("9", FOUR, "names a device that is not here"),
        ("0", WITH_MIG, "numbers MIG instances"),
        ("0-999999999", FOUR, "not understood"),
    ],
)
def test_what_slurm_says_unclearly_leaves_all_devices_with_a_note(
    text: str, devices: tuple[Present, ...], told: str
) -> None:
    selection = mine({"SLURM_JOB_GPUS": text}, devices)
    assert indices(selection) == [0, 1, 2, 3]
    assert told in selection.notes[0]


# containers and others


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [0, 1, 2, 3]),
        ("void", [0, 1, 2, 3]),  # set beside devices that came in another way
        ("", [0, 1, 2, 3]),
        ("none", []),
        ("1,2", [1, 2]),
        ("GPU-33333333", [2]),
        (f"{UUIDS[0]},{UUIDS[3]}", [0, 3]),
        ("0,1,2,3", [0, 1, 2, 3]),
        ("4,5,6,7", [0, 1, 2, 3]),  # the host's numbers: the runtime shows no others
        ("nvidia.com/gpu=0", [0, 1, 2, 3]),
        ("/var/run/nvidia-container-devices", [0, 1, 2, 3]),
    ],
)
def test_a_container_was_given_what_its_variable_names(text: str, expected: list[int]) -> None:
    assert indices(mine({"NVIDIA_VISIBLE_DEVICES": text}, FOUR)) == expected


def test_a_container_may_be_given_instances() -> None:
    assert ids(mine({"NVIDIA_VISIBLE_DEVICES": INSTANCES[2].uuid}, WITH_MIG)) == [INSTANCES[2].uuid]
    assert ids(mine({"NVIDIA_VISIBLE_DEVICES": "1:0,1:2"}, WITH_MIG)) == [INSTANCES[0].uuid, INSTANCES[2].uuid]


def test_cudas_variable_comes_before_the_containers() -> None:
    assert indices(visible("3", NVIDIA_VISIBLE_DEVICES="all")) == [3]
    assert indices(visible("", NVIDIA_VISIBLE_DEVICES="all")) == []


@pytest.mark.parametrize(("text", "expected"), [("1", [1]), ("0,2", [0, 2]), ("7", [0, 1, 2, 3]), ("x", [0, 1, 2, 3])])
def test_the_ordinal_counts_where_nothing_better_is_said(text: str, expected: list[int]) -> None:
    assert indices(mine({"GPU_DEVICE_ORDINAL": text}, FOUR)) == expected


# any string

VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "GPU_DEVICE_ORDINAL", "NVIDIA_VISIBLE_DEVICES",
)  # fmt: skip
ENTRIES = st.one_of(
    st.sampled_from([*UUIDS, *(one.uuid for one in INSTANCES), "GPU-", "MIG-", "GPU-3", "MIG-GPU-11112222/1/0", "all"]),
    st.integers(-2, 6).map(str),
    st.text(max_size=12),
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(ENTRIES, max_size=6).map(",".join))


@given(
    environment=st.dictionaries(st.sampled_from((*VARIABLES, "CUDA_DEVICE_ORDER")), TEXTS, max_size=4),
    devices=st.sampled_from([(), FOUR, FOUR[:1], WITH_MIG, FAST_LAST, FOUR[::-1]]),
    asked=st.lists(st.one_of(st.sampled_from(UUIDS), st.text(max_size=8)), max_size=4),
)
def test_any_words_choose_devices_that_are_there_and_none_twice(
    environment: dict[str, str], devices: tuple[Present, ...], asked: list[str]
) -> None:
    selection = mine(environment, devices, lambda: asked)
    chosen = ids(selection)
    there = {d.uuid for d in devices} | {one.uuid for d in devices for one in d.instances}
    assert set(chosen) <= there
    assert len(set(chosen)) == len(chosen)
    parts = [one.device.uuid for one in selection.chosen if one.instance is None]
    assert not set(parts) & {one.device.uuid for one in selection.chosen if one.instance}
    assert all(0 < one.share <= 1 for one in selection.chosen)
