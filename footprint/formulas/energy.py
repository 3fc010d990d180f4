"""Hours, power and energy of a training run. Floats or arrays in, the same out."""

from __future__ import annotations

from footprint.units import S_PER_H, W_PER_KW, Quantity


def accelerator_hours(
    dense_flop: Quantity,
    generation_flop: Quantity,
    peak_flop_per_s: Quantity,
    mfu: Quantity,
    generation_mfu: Quantity,
    goodput: Quantity,
) -> Quantity:
    """Device-hours that a stage occupies, lost time included.

    accelerator_hours = (dense_flop / mfu + generation_flop / generation_mfu) / (peak_flop_per_s * goodput * S_PER_H)

    Leaves out queueing and anything outside the run. `dense_flop` is training and prefill-like work,
    `generation_flop` token-by-token decoding, which reaches a much smaller share of the peak.

    Parameters
    ----------
    dense_flop, generation_flop : FLOP, >= 0
    peak_flop_per_s : FLOP/s, dense peak of one accelerator at the precision in use
    mfu, generation_mfu : share of that peak, 0 to 1
    goodput : useful share of wall-clock, 0 to 1

    References
    ----------
    .. [1] Chowdhery et al. 2022, PaLM, arXiv 2204.02311, appendix B (MFU).
    """
    return (dense_flop / mfu + generation_flop / generation_mfu) / (peak_flop_per_s * goodput * S_PER_H)


def shared_accelerator_hours(
    known_accelerator_hours: Quantity, modelled_accelerator_hours: Quantity, modelled_total_accelerator_hours: Quantity
) -> Quantity:
    """A stage's part of the known hours of a whole plan: by the hours that the model gives the stages.

    shared_accelerator_hours = known_accelerator_hours * modelled_accelerator_hours / modelled_total_accelerator_hours

    Parameters
    ----------
    known_accelerator_hours : h, of the whole plan
    modelled_accelerator_hours : h, of this stage
    modelled_total_accelerator_hours : h, of all stages together

    References
    ----------
    .. [1] Proportional allocation; the whole is conserved.
    """
    return known_accelerator_hours * modelled_accelerator_hours / modelled_total_accelerator_hours


def development_accelerator_hours(accelerator_hours: Quantity, development_ratio: Quantity) -> Quantity:
    """Hours of what ran before the final run: ablations, failed and abandoned runs, as a multiple of its own.

    development_accelerator_hours = accelerator_hours * development_ratio

    Parameters
    ----------
    accelerator_hours : h, of the final run
    development_ratio : >= 0; 0.5 measured for OLMo, 4.6 stated for Olmo 3

    References
    ----------
    .. [1] Morrison et al. 2025, arXiv 2503.05804, section 4 (development cost).
    """
    return accelerator_hours * development_ratio


def development_energy_kwh(energy_kwh: Quantity, development_ratio: Quantity) -> Quantity:
    """Energy of what ran before the final run, as much an hour as the run itself.

    development_energy_kwh = energy_kwh * development_ratio

    Parameters
    ----------
    energy_kwh : kWh, of the final run, within the same boundary
    development_ratio : >= 0, as for its hours

    References
    ----------
    .. [1] Morrison et al. 2025, arXiv 2503.05804, section 4 (development cost).
    """
    return energy_kwh * development_ratio


def implied_mfu(dense_flop: Quantity, accelerator_hours: Quantity, peak_flop_per_s: Quantity) -> Quantity:
    """MFU over the whole run that known hours imply, lost time counted against it.

    implied_mfu = dense_flop / (accelerator_hours * S_PER_H * peak_flop_per_s)

    Parameters
    ----------
    dense_flop : FLOP
    accelerator_hours : h
    peak_flop_per_s : FLOP/s, dense

    References
    ----------
    .. [1] Chowdhery et al. 2022, PaLM, arXiv 2204.02311, appendix B.
    """
    return dense_flop / (accelerator_hours * S_PER_H * peak_flop_per_s)


def wall_clock_h(accelerator_hours: Quantity, accelerator_count: Quantity) -> Quantity:
    """Time from start to end of a stage on a fixed number of devices.

    wall_clock_h = accelerator_hours / accelerator_count

    Parameters
    ----------
    accelerator_hours : h
    accelerator_count : devices, >= 1

    References
    ----------
    .. [1] Definition of an accelerator-hour.
    """
    return accelerator_hours / accelerator_count


def useful_mfu(implied_mfu: Quantity, goodput: Quantity) -> Quantity:
    """MFU while a run trains, from the MFU over its whole wall-clock: how busy it keeps its accelerators then.

    useful_mfu = implied_mfu / goodput

    Parameters
    ----------
    implied_mfu : share of the dense peak over all hours, lost ones included, > 0
    goodput : useful share of wall-clock, 0 to 1

    References
    ----------
    .. [1] Chowdhery et al. 2022, PaLM, arXiv 2204.02311, appendix B (MFU).
    """
    return implied_mfu / goodput


def training_load_share(mfu: Quantity, half_load_mfu: Quantity) -> Quantity:
    """Load of a node while it trains, as a share of the way from idle to maximum power: busier devices draw more.

    Rises with every gain in MFU, most steeply where devices wait most; never below 0 nor above 1. Leaves out
    what MFU does not see: cooling of the node, and work bound by memory, which draws more than its MFU tells.

    training_load_share = mfu / (mfu + half_load_mfu)

    Parameters
    ----------
    mfu : share of the dense peak of the precision in use while training, > 0; measured between 0.16 and 0.40
    half_load_mfu : the MFU at which a node draws halfway between idle and maximum, > 0

    References
    ----------
    .. [1] MLCommons Training v4.0 and v4.1 power logs, fitted in footprint.estimation.power_calibration.
    """
    return mfu / (mfu + half_load_mfu)


def generating_share(
    dense_flop: Quantity, generation_flop: Quantity, mfu: Quantity, generation_mfu: Quantity
) -> Quantity:
    """Share of a stage's busy time in which it generates token by token.

    generating_share = generation_flop / generation_mfu / (dense_flop / mfu + generation_flop / generation_mfu)

    Parameters
    ----------
    dense_flop, generation_flop : FLOP, >= 0, not both 0
    mfu, generation_mfu : share of the dense peak that each reaches, > 0

    References
    ----------
    .. [1] Time is work over rate; the two kinds of work run one after the other.
    """
    return generation_flop / generation_mfu / (dense_flop / mfu + generation_flop / generation_mfu)


def mixed_load_share(
    generating_share: Quantity, training_load_share: Quantity, generation_load_share: Quantity
) -> Quantity:
    """Load of a node over a stage that generates as well as trains, as a share of the way from idle to maximum.

    Generation is bound by memory: it draws much at a small MFU, so it has a measured load of its own.

    mixed_load_share = (1 - generating_share) * training_load_share + generating_share * generation_load_share

    Parameters
    ----------
    generating_share, training_load_share, generation_load_share : shares, 0 to 1

    References
    ----------
    .. [1] MLCommons Inference v5.1 wall power of 8x B200 nodes, language models.
    """
    return (1 - generating_share) * training_load_share + generating_share * generation_load_share


def load_share(goodput: Quantity, training_load_share: Quantity, stalled_load_share: Quantity) -> Quantity:
    """Mean load of a node over a run, as a share of the way from idle to maximum power.

    load_share = goodput * training_load_share + (1 - goodput) * stalled_load_share

    Lost time (restarts, waiting ranks) draws less than training but more than idle.

    Parameters
    ----------
    goodput, stalled_load_share : shares, 0 to 1
    training_load_share : share, 0 to 1; the mixed load of a stage that also generates

    References
    ----------
    .. [1] MLCommons Training v4.0 to v5.0 power logs; Newkirk et al. 2025, arXiv 2506.14551.
    """
    return goodput * training_load_share + (1 - goodput) * stalled_load_share


def accelerator_power_w(
    idle_node_w: Quantity, max_node_w: Quantity, load_share: Quantity, network_w: Quantity
) -> Quantity:
    """IT power that one accelerator accounts for: its share of the node (host, fans, NICs, supply) and the network.

    accelerator_power_w = idle_node_w + (max_node_w - idle_node_w) * load_share + network_w

    Linear between idle and maximum; storage and cooling outside the node are left out (cooling is in PUE).

    Parameters
    ----------
    idle_node_w, max_node_w : W per accelerator, node power divided by the accelerators in it
    load_share : 0 to 1
    network_w : W per accelerator, switches and optics outside the node

    References
    ----------
    .. [1] Fan, Weber, Barroso 2007, Power provisioning for a warehouse-sized computer (linear model).
    """
    return idle_node_w + (max_node_w - idle_node_w) * load_share + network_w


def it_energy_kwh(accelerator_hours: Quantity, accelerator_power_w: Quantity) -> Quantity:
    """Energy of the computing equipment, before the facility's overhead: the `facility` convention's input.

    it_energy_kwh = accelerator_hours * accelerator_power_w / W_PER_KW

    Parameters
    ----------
    accelerator_hours : h
    accelerator_power_w : W per accelerator, node and network share included

    References
    ----------
    .. [1] ISO/IEC 30134-2 (the IT boundary of PUE).
    """
    return accelerator_hours * accelerator_power_w / W_PER_KW


def mean_power_w(energy_kwh: Quantity, wall_clock_h: Quantity) -> Quantity:
    """Mean power behind an amount of energy.

    mean_power_w = energy_kwh * W_PER_KW / wall_clock_h

    Parameters
    ----------
    energy_kwh : kWh, of any boundary
    wall_clock_h : h, > 0

    References
    ----------
    .. [1] Definition of power.
    """
    return energy_kwh * W_PER_KW / wall_clock_h


def nameplate_energy_kwh(accelerator_hours: Quantity, tdp_w: Quantity) -> Quantity:
    """Nameplate power times hours: the `model-card` convention's input. No host, no network, no measured draw.

    nameplate_energy_kwh = accelerator_hours * tdp_w / W_PER_KW

    Parameters
    ----------
    accelerator_hours : h
    tdp_w : W, nameplate of one accelerator

    References
    ----------
    .. [1] Meta, model cards of Llama 2 to 4: peak power capacity per device, adjusted for PUE.
    """
    return accelerator_hours * tdp_w / W_PER_KW


def facility_energy_kwh(it_energy_kwh: Quantity, pue: Quantity) -> Quantity:
    """Energy at the building's meter.

    facility_energy_kwh = it_energy_kwh * pue

    Parameters
    ----------
    it_energy_kwh : kWh
    pue : facility energy over IT energy, >= 1

    References
    ----------
    .. [1] ISO/IEC 30134-2:2016, Power usage effectiveness.
    """
    return it_energy_kwh * pue
