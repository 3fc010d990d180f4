"""Each launcher's variables tell which run, which rank and which start a process is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footprint.measurement.launcher import RUN_ID, Launch, launch_of

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "sft-42",
    "TORCHELASTIC_RESTART_COUNT": "1",
    "TORCHELASTIC_MAX_RESTARTS": "3",
    "RANK": "11",
    "LOCAL_RANK": "3",
    "GROUP_RANK": "1",
    "WORLD_SIZE": "16",
    "LOCAL_WORLD_SIZE": "8",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29500",
}
SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_NTASKS": "8",
    "SLURM_NTASKS_PER_NODE": "4(x2)",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "6",
    "OMPI_COMM_WORLD_LOCAL_RANK": "2",
    "OMPI_COMM_WORLD_SIZE": "8",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
    "PMIX_NAMESPACE": "prterun-node1-812@1",
}
MPICH = {"PMI_RANK": "3", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2", "PMI_JOBID": "kvs_1"}
KUBERNETES = {"JOB_COMPLETION_INDEX": "2", "JOB_NAME": "llm-sft", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def test_a_process_that_nothing_launched_is_alone() -> None:
    assert launch_of({"PATH": "/bin", "USER": "ada"}) == Launch("", None, shares_parent=False)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (TORCHRUN, Launch("torchrun", "sft-42", True, 1, 11, 3, 16, 8)),
        (SLURM, Launch("slurm", "4711.0", False, 0, 5, 1, 8, 4)),
        (OPEN_MPI, Launch("mpi", "prterun-node1-812@1", True, 0, 6, 2, 8, 4)),
        (MPICH, Launch("mpi", "kvs_1", True, 0, 3, 1, 4, 2)),
        (KUBERNETES, Launch("kubernetes", "llm-sft", False, 0, 2)),
    ],
    ids=["torchrun", "slurm", "open-mpi", "mpich", "kubernetes"],
)
def test_each_launcher_tells_run_rank_and_world(environment: Mapping[str, str], told: Launch) -> None:
    assert launch_of(environment) == told


@pytest.mark.parametrize("nameless", ["", "none"])
def test_torchrun_without_a_rendezvous_id_leaves_the_name_to_slurm_or_to_the_shared_parent(nameless: str) -> None:
    alone = launch_of(TORCHRUN | {"TORCHELASTIC_RUN_ID": nameless})
    assert (alone.job, alone.shares_parent) == (None, True)
    inside = launch_of(SLURM | TORCHRUN | {"TORCHELASTIC_RUN_ID": nameless})
    assert (inside.launcher, inside.job) == ("torchrun", "4711.0")
    assert (inside.rank, inside.local_rank, inside.world_count) == (11, 3, 16)


def test_old_torchrun_that_tells_only_the_restart_is_known() -> None:
    assert launch_of({"TORCHELASTIC_RESTART_COUNT": "2", "RANK": "1"}).launcher == "torchrun"


@pytest.mark.parametrize(
    ("more", "job"),
    [
        ({}, "4711.0"),
        ({"SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "7"}, "4700_7.0"),
        ({"SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "0"}, "4700_0.0"),
        ({"SLURM_STEP_ID": "2"}, "4711.2"),
        ({"SLURM_STEP_ID": ""}, "4711"),
    ],
)
def test_tasks_of_an_array_and_steps_of_a_job_are_runs_of_their_own(more: Mapping[str, str], job: str) -> None:
    assert launch_of(SLURM | more).job == job


def test_a_requeued_job_is_a_further_start_of_the_same_run() -> None:
    first, again = launch_of(SLURM), launch_of(SLURM | {"SLURM_RESTART_COUNT": "2"})
    assert first.job == again.job
    assert (first.restart_count, again.restart_count) == (0, 2)


def test_restarts_of_workers_and_of_their_job_both_count() -> None:
    both = launch_of(TORCHRUN | {"SLURM_JOB_ID": "1", "SLURM_RESTART_COUNT": "2"})
    assert both.restart_count == 3


@pytest.mark.parametrize(("tasks", "count"), [("4(x2)", 4), ("8", 8), ("4(x2),3", 4), (" 2 ", 2), ("", 1), ("x", 1)])
def test_tasks_of_a_node_are_read_as_slurm_writes_them(tasks: str, count: int) -> None:
    assert launch_of({"SLURM_JOB_ID": "1", "SLURM_NTASKS_PER_NODE": tasks}).local_world_count == count


def test_ranks_that_an_unknown_launcher_set_have_a_parent_in_common() -> None:
    told = launch_of({"RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "8"})
    assert (told.launcher, told.job, told.shares_parent, told.rank, told.world_count) == ("", None, True, 3, 8)


@pytest.mark.parametrize("environment", [{}, TORCHRUN, SLURM, OPEN_MPI, KUBERNETES])
def test_the_users_own_name_of_a_run_is_over_every_launchers(environment: Mapping[str, str]) -> None:
    told = launch_of(environment | {RUN_ID: "mine"})
    assert (told.job, told.is_named_by_user) == ("mine", True)
    assert told.rank == launch_of(environment).rank
    assert launch_of(environment | {RUN_ID: ""}) == launch_of(environment)


NAMES = sorted({*TORCHRUN, *SLURM, *OPEN_MPI, *MPICH, *KUBERNETES, "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", RUN_ID})


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12) | st.integers(-5, 10**12).map(str)))
def test_whatever_the_variables_hold_counts_are_counts(environment: dict[str, str]) -> None:
    told = launch_of(environment)
    assert min(told.rank, told.local_rank, told.restart_count) >= 0
    assert min(told.world_count, told.local_world_count) >= 1
    assert told.job is None or told.job != ""
    assert told.launcher in ("", "torchrun", "slurm", "mpi", "kubernetes")
