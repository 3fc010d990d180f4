"""What failures cost a long run: interruptions, checkpoints, restarts. Floats or arrays in, the same out."""

from __future__ import annotations

from footprint.units import S_PER_H, Quantity

__all__ = ["checkpoint_interval_s", "goodput", "interruption_interval_s", "lost_share"]


def interruption_interval_s(interruption_accelerator_h: Quantity, accelerator_count: Quantity) -> Quantity:
    """Mean time between unexpected interruptions of a run, whichever of its devices fails.

    interruption_interval_s = interruption_accelerator_h * S_PER_H / accelerator_count

    Parameters
    ----------
    interruption_accelerator_h : accelerator-hours between interruptions of one device, > 0
    accelerator_count : devices, >= 1

    References
    ----------
    .. [1] Independent failures at a constant rate; Llama 3 (arXiv 2407.21783, section 3.3.4): 419 in 54 days on 16,384.
    """
    return interruption_accelerator_h * S_PER_H / accelerator_count


def checkpoint_interval_s(checkpoint_s: Quantity, interruption_interval_s: Quantity) -> Quantity:
    """The time between checkpoints that loses least.

    checkpoint_interval_s = (2 * checkpoint_s * interruption_interval_s) ** 0.5 * (1 + (checkpoint_s / (2 * interruption_interval_s)) ** 0.5 / 3 + checkpoint_s / (2 * interruption_interval_s) / 9) - checkpoint_s

    Valid while a checkpoint takes less than twice the mean time between interruptions.

    Parameters
    ----------
    checkpoint_s : s that training stands while a checkpoint is written
    interruption_interval_s : s, as `interruption_interval_s`

    References
    ----------
    .. [1] Young 1974, Communications of the ACM 17(9): the square root alone.
    .. [2] Daly 2006, Future Generation Computer Systems 22(3), equation 37 (recalled).
    """
    half = checkpoint_s / (2 * interruption_interval_s)
    young_s = (2 * checkpoint_s * interruption_interval_s) ** 0.5
    return young_s * (1 + half**0.5 / 3 + half / 9) - checkpoint_s


def lost_share(
    checkpoint_s: Quantity, checkpoint_interval_s: Quantity, restart_s: Quantity, interruption_interval_s: Quantity
) -> Quantity:
    """Share of wall-clock lost to checkpoints, to work done again, and to restarts.

    lost_share = checkpoint_s / checkpoint_interval_s + (checkpoint_interval_s / 2 + restart_s) / interruption_interval_s

    First order: valid while the share is small.

    Parameters
    ----------
    checkpoint_s, checkpoint_interval_s : s, of one checkpoint and between two
    restart_s : s from an interruption to training again
    interruption_interval_s : s between interruptions

    References
    ----------
    .. [1] Daly 2006, Future Generation Computer Systems 22(3), section 2.
    """
    again_s = checkpoint_interval_s / 2 + restart_s
    return checkpoint_s / checkpoint_interval_s + again_s / interruption_interval_s


def goodput(lost_share: Quantity, evaluation_share: Quantity) -> Quantity:
    """Useful share of wall-clock: what failures, warm-up and evaluation leave.

    goodput = (1 - lost_share) * (1 - evaluation_share)

    Parameters
    ----------
    lost_share : as `lost_share`, 0 to 1
    evaluation_share : of wall-clock, for start-up, warm-up and validation, 0 to 1

    References
    ----------
    .. [1] Chowdhery et al. 2022, PaLM, arXiv 2204.02311, section 4 (restarts); MLPerf Training logs (evaluation).
    """
    return (1 - lost_share) * (1 - evaluation_share)
