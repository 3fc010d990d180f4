"""`FootprintCallback` for the Trainer of transformers, and for the trainers of TRL that build on it.

    Trainer(..., callbacks=[FootprintCallback(region="FRA")])

It stands before the callbacks that report, so what it adds to the logs reaches W&B, TensorBoard, MLflow and Trackio;
keeps the run's id in each checkpoint, so that `resume_from_checkpoint` goes on with the same run; and puts
`co2_eq_emissions` into the model card.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import FrameType
from typing import Any

from footprint.errors import FootprintError
from footprint.integrations import model_card
from footprint.integrations.late import made_late
from footprint.integrations.loops import LoopRun, metrics, name_of, outermost_of, trained_params
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.windows import Window

FootprintCallback: type[TrainerHooks]
"""Made on first use: transformers is imported then."""

STATE_KEY = "footprint"
"""In `TrainerState.stateful_callbacks`. No class of this name is looked for when callbacks are restored, so the
user's own instance stays in place."""
STATE_FILE = "footprint.json"
FLOWS = "DefaultFlowCallback"

FLOP_PER_TOKEN_AND_PARAM = 6
"""How the Trainer counts `total_flos`: input ids x parameters without embeddings x this."""
_WHOLE = 1e-3
_EXACT_RATIO = 1e-9


class TrainerHooks(LoopRun):
    """A callback that measures from `on_train_begin` to the end of `train`, on every rank.

    Parameters
    ----------
    name, options
        As for `footprint.track`. What is not given is taken from the Trainer: name, parameters, precision, steps.
    seq_len : tokens in a sequence, where the Trainer counts neither tokens nor FLOP
    training_type : "pre-training" or "fine-tuning", for the model card
    """

    def __init__(
        self, name: str | None = None, *, seq_len: int | None = None, training_type: str | None = None, **options: Any
    ) -> None:
        super().__init__(name, **options)
        self._seq_len, self._training_type = seq_len, training_type
        self._flop_per_token: float | None = None
        self._num_tokens: float | None = None
        self._window: Window | None = None

    # the run

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stand before the callbacks that report."""
        self._stand_first()

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Start measuring, or go on with the run of the checkpoint."""
        found = self._stand_first()
        if self.is_open:
            if self.is_inside and self.run is not None:
                self.run.note("training began anew within one call of train: a smaller batch was tried")
                return
            self.close_run("failed")
        saved = (getattr(state, "stateful_callbacks", None) or {}).get(STATE_KEY) if state.global_step else None
        name = name_of(Path(str(getattr(args, "run_name", None) or args.output_dir or "")).name)
        run = self.open_run(name, self._found(args, model), saved)
        self.watch(found)
        self._flop_per_token = _flop_per_token(model)
        self._tell(run, args, state)

    def _found(self, args: Any, model: Any) -> dict[str, Any]:
        """What the Trainer knows of the model."""
        precision = next((name for name in ("bf16", "fp16") if getattr(args, name, False)), None)
        return {"params": trained_params(model), "precision": precision}

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop measuring."""
        if self.run is not None and self.is_open:
            self._leave_window()
            self._tell(self.run, args, state)
            self.close_run()

    # progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Tell how far it is; end the training where the budget asks for it."""
        run = self.run
        if run is None or not self.is_open:
            return None
        self._tell(run, args, state)
        if run.should_stop:
            control.should_training_stop = True
            return control
        return None

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """What was evaluated or saved is done."""
        self._leave_window()

    def _tell(self, run: ActiveRun, args: Any, state: Any) -> None:
        """The state's own counts, which are those of all ranks, and the run's state for the next checkpoint."""
        run.progress(
            steps=state.global_step,
            tokens=self._tokens(args, state),
            epochs=state.epoch,
            total_steps=state.max_steps or None,
            total_epochs=state.num_train_epochs or None,
            flop=state.total_flos or None,
        )
        if isinstance(getattr(state, "stateful_callbacks", None), dict):
            state.stateful_callbacks[STATE_KEY] = run.state_dict()

    def _tokens(self, args: Any, state: Any) -> float | None:
        """As counted by the Trainer, else by TRL, else from its FLOP, else from the shape of a batch."""
        if getattr(args, "include_num_input_tokens_seen", "no") not in (False, "no"):
            return float(state.num_input_tokens_seen)
        if self._num_tokens is not None:
            return self._num_tokens
        if self._flop_per_token and state.total_flos:
            tokens: float = state.total_flos / self._flop_per_token
            if abs(tokens - round(tokens)) <= max(_WHOLE, tokens * _EXACT_RATIO):  # else FLOP are counted otherwise
                return float(round(tokens))
        if self._seq_len is None:
            return None
        sequences = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        return float(state.global_step * sequences * self._seq_len)

    # logs

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Add the run's keys to a log of training. Logs of evaluation are results, which are compared: left alone."""
        run = self.run
        if run is None or not self.is_open or not isinstance(logs, dict):
            return
        if not any(key in logs for key in ("loss", "train_runtime", "learning_rate")):
            return
        if isinstance(logs.get("num_tokens"), (int, float)):
            self._num_tokens = float(logs["num_tokens"])
        self._tell(run, args, state)
        found = metrics(run)
        logs.update(found)
        history = getattr(state, "log_history", None)
        if history and history[-1].get("step") == state.global_step:
            history[-1].update(found)

    # evaluation and checkpoints

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The first step of an evaluation opens its window."""
        if self._window is None and self.run is not None and self.is_open:
            self._enter_window("evaluate")

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """An evaluation is done; a checkpoint may follow."""
        self._leave_window()
        if control.should_save and self.run is not None and self.is_open:
            self._enter_window("save")

    def on_predict(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A prediction is done."""
        self._leave_window()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lay the run's state beside the checkpoint."""
        self._leave_window()
        if self.run is None or not self.is_open or not getattr(args, "should_save", True):
            return
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not folder.is_dir():
            return
        try:
            told = {**self.run.state_dict(), "metrics": metrics(self.run)}
            (folder / STATE_FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            self.run.note(f"{folder / STATE_FILE} cannot be written ({error.strerror or error})")

    def _enter_window(self, name: str) -> None:
        assert self.run is not None
        self._window = self.run.window(name)
        self._window.__enter__()

    def _leave_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            window.__exit__(None, None, None)

    # model card

    def on_push_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The card that is about to be pushed gets its co2_eq_emissions."""
        self._stand_first()
        self._write_card(args)

    def _write_card(self, args: Any) -> None:
        card = Path(args.output_dir) / "README.md"
        if self.run is None or not getattr(args, "should_save", True) or not card.is_file():
            return
        try:
            problem = model_card.write(card, self.run.result, self._training_type)
        except FootprintError as error:
            problem = str(error)
        if problem:
            self.run.note(f"{card}: {problem}")

    # where the Trainer keeps its callbacks

    def _stand_first(self) -> tuple[FrameType, Any] | None:
        """Move to the front of the callbacks, behind the one that decides when to log; the Trainer's outermost frame.

        The Trainer puts callbacks that report before those of its user, and has no way to ask for another order.
        """
        holders: list[Any] = []

        def has_me(owner: Any) -> bool:
            if any(one is self for one in _callbacks(owner)):
                holders.append(owner)
            return bool(holders) and getattr(owner, "callback_handler", None) is holders[0]

        found = outermost_of(has_me)
        if holders:
            others = [one for one in holders[0].callbacks if one is not self]
            place = 1 if others and type(others[0]).__name__ == FLOWS else 0
            holders[0].callbacks = [*others[:place], self, *others[place:]]
        if found is not None:
            self._see_cards_of(found[1])
        return found

    def _see_cards_of(self, trainer: Any) -> None:
        """A card that the Trainer writes anew gets its co2_eq_emissions again."""
        write = getattr(trainer, "create_model_card", None)
        if write is None or getattr(write, "is_footprint", False):
            return

        @functools.wraps(write)
        def create_model_card(*args: Any, **kwargs: Any) -> Any:
            written = write(*args, **kwargs)
            self._write_card(trainer.args)
            return written

        create_model_card.is_footprint = True  # type: ignore[attr-defined]
        trainer.create_model_card = create_model_card


def _callbacks(owner: Any) -> list[Any]:
    found = getattr(owner, "__dict__", {}).get("callbacks")
    return found if isinstance(found, list) else []


def _flop_per_token(model: Any) -> float | None:
    """What `total_flos` grows by with each token; None where it does not count tokens."""
    count = getattr(model, "num_parameters", None)
    if not callable(count) or getattr(model, "main_input_name", "input_ids") != "input_ids":
        return None
    params = count(exclude_embeddings=True)
    return float(FLOP_PER_TOKEN_AND_PARAM * params) if params else None


def _base() -> Any:
    from transformers import TrainerCallback

    return TrainerCallback


__getattr__ = made_late("FootprintCallback", TrainerHooks, _base, "transformers")
