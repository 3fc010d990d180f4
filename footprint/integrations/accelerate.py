"""`FootprintTracker` for accelerate's loops.

    tracker = FootprintTracker("sft", region="FRA")
    accelerator = Accelerator(log_with=[tracker, "wandb"])
    accelerator.init_trackers("project")

Put it first: trackers after it then find its keys in what `accelerator.log` is given. It measures from its making on,
on every rank (accelerate calls trackers on the main one alone), until `accelerator.end_training()` or the process's
end; an exception that ends the process makes it failed. Register it with `accelerator.register_for_checkpointing`, and
`load_state` goes on with the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from footprint.integrations.late import made_late
from footprint.integrations.loops import LoopRun, metrics
from footprint.measurement.tracker.active import ActiveRun

FootprintTracker: type[AccelerateHooks]
"""Made on first use: accelerate is imported then."""


class AccelerateHooks(LoopRun):
    """A tracker among others for `Accelerator(log_with=[...])`; its run is `tracker.run`.

    Parameters
    ----------
    name, options
        As for `footprint.track`.
    """

    name = "footprint"
    requires_logging_directory = False
    main_process_only = False

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self.open_run(None, {})

    @property
    def tracker(self) -> ActiveRun | None:
        """What `get_tracker("footprint", unwrap=True)` gives: windows, steps and tokens are told to it."""
        return self.run

    def start(self) -> None:
        """Called by `init_trackers`; it measures already, unless an earlier training has ended it."""
        if not self.is_open:
            self.open_run(None, {})

    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Nothing of it is kept: journals hold what the user said of the run, not the whole configuration."""

    def log(self, values: Any, step: int | None = None, **kwargs: Any) -> None:
        """Take the step, and give the run's keys to the trackers after this one."""
        if self.run is None or not self.is_open:
            return
        if step is not None:
            self.run.progress(steps=step)
        if isinstance(values, dict):
            values.update(metrics(self.run))

    def finish(self) -> None:
        """Called by `end_training`."""
        self.close_run()

    def state_dict(self) -> dict[str, Any]:
        """For `register_for_checkpointing`."""
        return {} if self.run is None else self.run.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint: the same run goes on."""
        if self.run is not None and self.is_open:
            self.run.load_state_dict(state)


def _base() -> Any:
    from accelerate.tracking import GeneralTracker

    return GeneralTracker


__getattr__ = made_late("FootprintTracker", AccelerateHooks, _base, "accelerate")
