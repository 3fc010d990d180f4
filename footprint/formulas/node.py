"""Power and energy of what carries the accelerators: processors, memory and the rest of a node.

Floats or arrays in, the same out.
"""

from __future__ import annotations

from footprint.units import W_PER_KW, Quantity

__all__ = ["cpu_power_w", "ram_power_w", "rest_energy_kwh", "rest_power_w", "socket_share"]


def cpu_power_w(
    tdp_w: Quantity, load_share: Quantity, cpu_idle_ratio: Quantity, cpu_full_ratio: Quantity, exponent: Quantity
) -> Quantity:
    """Power of a processor package by how busy its threads are.

    cpu_power_w = tdp_w * (cpu_idle_ratio + (cpu_full_ratio - cpu_idle_ratio) * (2 * load_share - load_share**exponent))

    Concave: the first busy threads raise clocks and wake caches and memory controllers, the last ones share what is
    left. Leaves out what a busy thread does: vector code draws more than a waiting loop at one load. Never falls
    while `load_share` rises up to 1.

    Parameters
    ----------
    tdp_w : W, rating of the package; of all packages together with the load over all of them
    load_share : busy time of the threads over their time, 0 to 1
    cpu_idle_ratio, cpu_full_ratio : package power over rating when nothing and when everything is busy; full >= idle
    exponent : 1 to 2; at 1 it is linear. 1.4 for whole servers [1]_, 1.7 for packages alone [2]_

    References
    ----------
    .. [1] Fan, Weber, Barroso 2007, Power provisioning for a warehouse-sized computer, ISCA,
       DOI 10.1145/1250662.1250665 (the form, with 1.4).
    .. [2] data/processor_power.csv: RAPL of five bare-metal servers at loads of 0, 0.1, 0.5 and 1.
    """
    busy = 2 * load_share - load_share**exponent
    return tdp_w * (cpu_idle_ratio + (cpu_full_ratio - cpu_idle_ratio) * busy)


def socket_share(threads_count: Quantity, sockets_count: Quantity, threads_per_socket_count: Quantity) -> Quantity:
    """Which part of the sockets the threads are that a job may use.

    socket_share = threads_count / (sockets_count * threads_per_socket_count)

    Parameters
    ----------
    threads_count : threads or virtual processors of the job, > 0
    sockets_count : sockets that they lie on, >= 1
    threads_per_socket_count : threads of one socket, >= 1; no less than threads_count in all

    References
    ----------
    .. [1] Cloud Carbon Footprint, methodology (power of an instance by its virtual processors).
    """
    return threads_count / (sockets_count * threads_per_socket_count)


def ram_power_w(memory_gb: Quantity, ram_w_per_gb: Quantity, ram_most_w: Quantity) -> Quantity:
    """Power of a host's memory by its size.

    ram_power_w = min(memory_gb * ram_w_per_gb, ram_most_w)

    Refresh and interface draw whether a page is in use or not, so it is size and not occupation that counts. Large
    hosts carry large modules, which draw less a GB: hence the second term. Leaves out the traffic, which can double it.

    Parameters
    ----------
    memory_gb : GB installed, >= 0
    ram_w_per_gb : W per GB
    ram_most_w : W, of as many modules as a host takes

    References
    ----------
    .. [1] data/processor_power.csv: RAPL of the memory of five bare-metal servers.
    .. [2] Lannelongue, Grealey, Inouye 2021, Green Algorithms, arXiv 2007.07610 (0.3725 W a GB).
    """
    by_size_w = memory_gb * ram_w_per_gb
    return (by_size_w + ram_most_w - abs(by_size_w - ram_most_w)) / 2


def rest_power_w(host_rest_w: Quantity, accelerator_count: Quantity, tdp_w: Quantity, rest_ratio: Quantity) -> Quantity:
    """Power of a node beside accelerators, processors and memory, before the power supply's loss.

    rest_power_w = host_rest_w + accelerator_count * tdp_w * rest_ratio

    Fans, switches of the accelerators' link, network cards, disks, boards and conversion on them. Taken as steady:
    of these only fans follow the load, and they follow it late. Leaves out switches outside the node.

    Parameters
    ----------
    host_rest_w : W, what a host draws whatever it carries
    accelerator_count : accelerators in it, >= 0
    tdp_w : W, rating of one accelerator
    rest_ratio : rest over that rating, >= 0

    References
    ----------
    .. [1] MLCommons Training v4.0 and v4.1 power logs (data/power.csv), less the devices' own power.
    """
    return host_rest_w + accelerator_count * tdp_w * rest_ratio


def rest_energy_kwh(
    component_energy_kwh: Quantity, rest_w: Quantity, duration_h: Quantity, psu_loss_share: Quantity
) -> Quantity:
    """IT energy of a node beyond its accelerators, processors and memory: the rest of it and the supply's loss on all.

    rest_energy_kwh = (component_energy_kwh + rest_w * duration_h / W_PER_KW) / (1 - psu_loss_share) - component_energy_kwh

    Added to the components' energy it is the energy at the node's plug, the boundary that PUE multiplies.

    Parameters
    ----------
    component_energy_kwh : kWh that accelerators, processors and memory took from the supply, measured or modelled
    rest_w : W, the rest of the node, before the supply
    duration_h : h
    psu_loss_share : share of the power taken in that the supply loses, 0 to below 1

    References
    ----------
    .. [1] Efficiency is output over input: 80 PLUS, test protocol for power supplies.
    """
    output_kwh = component_energy_kwh + rest_w * duration_h / W_PER_KW
    return output_kwh / (1 - psu_loss_share) - component_energy_kwh
