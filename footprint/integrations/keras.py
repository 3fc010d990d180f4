"""`FootprintCallback` for Keras, whatever its backend.

    model.fit(..., callbacks=[FootprintCallback(region="FRA"), ...])

Put it first: callbacks after it, History among them, then find its keys in the logs of each epoch. Keras has no hook
for exceptions: `fit` is watched, and left early it closes the run as failed within a second; at once, and with the
exception's name, inside `with FootprintCallback() as callback:`.
"""

from __future__ import annotations

from typing import Any

from footprint.integrations.late import made_late
from footprint.integrations.loops import LoopRun, metrics, name_of, outermost_of
from footprint.measurement.tracker.windows import Window

FootprintCallback: type[KerasHooks]
"""Made on first use: keras is imported then."""


class KerasHooks(LoopRun):
    """A callback that measures from the beginning of `fit` to its end.

    Parameters
    ----------
    name, options
        As for `footprint.track`. `run_id` goes on with an earlier run: Keras keeps no state of callbacks.
    tokens_per_step : in a batch of all devices, where the data are tokens
    """

    model: Any
    params: Any

    def __init__(self, name: str | None = None, *, tokens_per_step: float | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self._tokens_per_step = tokens_per_step
        self._window: Window | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Start measuring."""
        self.close_run("failed")
        run = self.open_run(name_of(getattr(self.model, "name", "")), {"params": _trained_params(self.model)})
        self.watch(outermost_of(lambda owner: owner is self.model))
        told = self.params or {}
        steps, epochs = told.get("steps"), told.get("epochs")
        run.progress(total_steps=steps * epochs if steps and epochs else None, total_epochs=epochs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell the step; end the training where the budget asks for it."""
        if self.run is not None and self.is_open:
            self.run.step(1, tokens=self._tokens_per_step or 0, of="run")
            if self.run.should_stop:
                self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the run's keys to the epoch's logs."""
        if self.run is not None and self.is_open:
            self.run.progress(epochs=epoch + 1)
            if isinstance(logs, dict):
                logs.update(metrics(self.run))

    def on_test_begin(self, logs: Any = None) -> None:
        """A validation's window."""
        if self.run is not None and self.is_open and self._window is None:
            self._window = self.run.window("evaluate")
            self._window.__enter__()

    def on_test_end(self, logs: Any = None) -> None:
        """A validation is done."""
        window, self._window = self._window, None
        if window is not None:
            window.__exit__(None, None, None)

    def on_train_end(self, logs: Any = None) -> None:
        """Stop measuring."""
        self.close_run()


def _trained_params(model: Any) -> float | None:
    """Parameters, where all of them are trained: FLOP by 6 N D hold for nothing else."""
    try:
        total = int(model.count_params())
        trained = sum(int(weight.size) for weight in model.trainable_weights)
    except (AttributeError, TypeError, ValueError):  # a model that is built with its first batch
        return None
    return float(total) if total and trained == total else None


def _base() -> Any:
    from keras.callbacks import Callback

    return Callback


__getattr__ = made_late("FootprintCallback", KerasHooks, _base, "keras")
