"""`FootprintCallback` for Lightning's Trainer.

    Trainer(callbacks=[FootprintCallback(region="FRA")])

It measures the whole of `fit`, puts its keys into the module's logs, and keeps the run's id in each checkpoint, so that
`fit(ckpt_path=...)` goes on with the same run. An exception closes the run as failed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from footprint.integrations.late import made_late
from footprint.integrations.loops import LoopRun, metrics, name_of, trained_params
from footprint.measurement.tracker.windows import Window

FootprintCallback: type[LightningHooks]
"""Made on first use: lightning is imported then."""

PRECISIONS = {"bf16": "bf16", "16": "fp16", "32": "fp32"}
"""What Lightning's names of precisions begin with."""


class LightningHooks(LoopRun):
    """A callback that measures from `on_fit_start` to `on_fit_end`, on every rank.

    Parameters
    ----------
    name, options
        As for `footprint.track`. What is not given is taken from the Trainer: name, parameters, precision, steps.
    tokens_of : a function of a batch to its tokens on this rank; ids in a batch are found without
    """

    def __init__(
        self, name: str | None = None, *, tokens_of: Callable[[Any], float] | None = None, **options: Any
    ) -> None:
        super().__init__(name, **options)
        self._tokens_of = tokens_of or tokens_in
        self._saved: Mapping[str, Any] | None = None
        self._window: Window | None = None

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Start measuring; a checkpoint's state may be here already, or come with `load_state_dict`."""
        self.close_run("failed")
        precision = next((ours for name, ours in PRECISIONS.items() if str(trainer.precision).startswith(name)), None)
        found = {"params": trained_params(pl_module), "precision": precision}
        saved, self._saved = self._saved, None
        self.open_run(name_of(type(pl_module).__name__), found, saved)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The totals are known now."""
        if self.run is None or not self.is_open:
            return
        steps = trainer.estimated_stepping_batches
        self.run.progress(
            steps=trainer.global_step,
            total_steps=steps if math.isfinite(steps) and steps > 0 else None,
            total_epochs=trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None,
        )

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Tell tokens and steps; log where the Trainer does; end the training where the budget asks for it."""
        run = self.run
        if run is None or not self.is_open:
            return
        run.step(0, tokens=self._tokens_of(batch))
        run.progress(steps=trainer.global_step)
        if run.should_stop:
            trainer.should_stop = True
        every = trainer.log_every_n_steps
        if every and trainer.global_step % every == 0 and not trainer.sanity_checking:
            pl_module.log_dict(metrics(run), on_step=True, on_epoch=False, batch_size=1, rank_zero_only=True)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Tell the epoch."""
        if self.run is not None and self.is_open:
            self.run.progress(epochs=trainer.current_epoch + 1)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """A validation's window; the check before the training is one too."""
        if self.run is not None and self.is_open and self._window is None:
            self._window = self.run.window("evaluate")
            self._window.__enter__()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """A validation is done."""
        window, self._window = self._window, None
        if window is not None:
            window.__exit__(None, None, None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The training ends here."""
        self.on_validation_end(trainer, pl_module)
        self.close_run("failed", exception)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop measuring."""
        self.close_run()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {} if self.run is None else self.run.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint: the same run goes on."""
        if self.is_open and self.run is not None:
            self.run.load_state_dict(state_dict)
        else:
            self._saved = state_dict


def tokens_in(batch: Any) -> float:
    """Ids in a batch: under "input_ids" or "tokens", or a tensor of whole numbers with two axes; else none."""
    if isinstance(batch, Mapping):
        found = batch.get("input_ids", batch.get("tokens"))
        return _size(found)
    named = getattr(batch, "input_ids", None)
    if named is not None:
        return _size(named)
    first = batch[0] if isinstance(batch, Sequence) and batch and not isinstance(batch, str) else batch
    is_ids = getattr(first, "ndim", 0) == 2 and "int" in str(getattr(first, "dtype", ""))
    return _size(first) if is_ids else 0.0


def _size(ids: Any) -> float:
    count = getattr(ids, "numel", None)
    return float(count()) if callable(count) else float(getattr(ids, "size", 0) or 0)


def _base() -> Any:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback
    return Callback


__getattr__ = made_late("FootprintCallback", LightningHooks, _base, "lightning")
