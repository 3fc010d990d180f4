"""What torchrun, SLURM, MPI and Kubernetes say of a process: which run, which rank, which start of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Launch", "launch_of"]

RUN_ID = "FOOTPRINT_RUN_ID"
"""Names the run whatever launches it; `footprint track` sets it for its command."""

_TORCHRUN_NAMELESS = ("", "none")


@dataclass(frozen=True, slots=True)
class Launch:
    """A process's place among those that train together."""

    launcher: str  # "torchrun", "slurm", "mpi", "kubernetes" or ""
    job: str | None  # what all processes of the run share; None where the launcher names nothing
    shares_parent: bool  # ranks of one host have one parent, that can stand for the missing name
    restart_count: int = 0
    rank: int = 0
    local_rank: int = 0
    world_count: int = 1
    local_world_count: int = 1
    is_named_by_user: bool = False


def launch_of(environment: Mapping[str, str]) -> Launch:
    """Read the launchers' variables; a value that is no number counts as absent."""
    slurm_job = _slurm_job(environment)
    torch_job = environment.get("TORCHELASTIC_RUN_ID", "")
    under_torchrun = "TORCHELASTIC_RUN_ID" in environment or "TORCHELASTIC_RESTART_COUNT" in environment
    under_mpi = any(name in environment for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK"))
    under_kubernetes = "JOB_COMPLETION_INDEX" in environment
    has_ranks = "RANK" in environment or "LOCAL_RANK" in environment
    if under_torchrun:
        launcher = "torchrun"
        job = torch_job if torch_job not in _TORCHRUN_NAMELESS else slurm_job
    elif slurm_job is not None:
        launcher, job = "slurm", slurm_job
    elif under_mpi:
        launcher, job = "mpi", environment.get("PMIX_NAMESPACE") or environment.get("PMI_JOBID")
    elif under_kubernetes:
        launcher, job = "kubernetes", environment.get("JOB_NAME")
    else:
        launcher, job = "", None
    given = environment.get(RUN_ID)
    return Launch(
        launcher=launcher,
        job=given or job or None,
        is_named_by_user=bool(given),
        shares_parent=under_torchrun or under_mpi or has_ranks,
        restart_count=_number(environment, "TORCHELASTIC_RESTART_COUNT") + _number(environment, "SLURM_RESTART_COUNT"),
        rank=_number(environment, "RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "JOB_COMPLETION_INDEX"),
        local_rank=_number(environment, "LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"),
        world_count=max(1, _number(environment, "WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")),
        local_world_count=max(1, _number(environment, *_LOCAL_COUNTS)),
    )


_LOCAL_COUNTS = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE")


def _slurm_job(environment: Mapping[str, str]) -> str | None:
    """Job, array task and step: what a training's ranks share, and its next start after a requeue too."""
    job = environment.get("SLURM_ARRAY_JOB_ID") or environment.get("SLURM_JOB_ID")
    if not job:
        return None
    task, step = environment.get("SLURM_ARRAY_TASK_ID"), environment.get("SLURM_STEP_ID")
    return job + (f"_{task}" if task else "") + (f".{step}" if step else "")


def _number(environment: Mapping[str, str], *names: str) -> int:
    """The first of these variables that begins with a number, such as "4(x2)"; 0 without one."""
    for name in names:
        match = re.match(r"\s*(\d{1,9})", environment.get(name, ""))
        if match:
            return int(match.group(1))
    return 0
