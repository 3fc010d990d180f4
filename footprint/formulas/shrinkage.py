"""How far a few runs of one's own move a prediction: levels shrunk towards none. Floats or arrays in, the same out.

All `_log` are natural logs of ratios of throughput, measured over predicted.
"""

from __future__ import annotations

import math

from footprint.units import Quantity

__all__ = ["error_end_log", "kept_spread_log", "level_ratio", "run_weight_share", "scatter_log", "unlearned_share"]


def run_weight_share(
    run_log: Quantity, centre_log: Quantity, scatter_log: Quantity, freedom_count: Quantity
) -> Quantity:
    """How much one run counts beside the others: an odd one hardly.

    run_weight_share = 1 / (1 + ((run_log - centre_log) / scatter_log) ** 2 / freedom_count)

    The weight of a location under Student's t, up to a constant: 1 at the centre, falling as the square far out.

    Parameters
    ----------
    run_log : log ratio of one run
    centre_log : weighted mean of the runs, found by repeating
    scatter_log : standard deviation of one run about the level, > 0
    freedom_count : degrees of freedom of Student's t, > 0

    References
    ----------
    .. [1] Lange, Little, Taylor 1989, Robust statistical modeling using the t distribution, JASA 84(408).
    """
    return 1 / (1 + ((run_log - centre_log) / scatter_log) ** 2 / freedom_count)


def scatter_log(
    known_scatter_log: Quantity, squares_log: Quantity, weight_count: Quantity, freedom_count: Quantity
) -> Quantity:
    """Scatter of runs about their level: what is known of others, pooled with the runs' own.

    scatter_log = ((freedom_count * known_scatter_log ** 2 + squares_log) / (freedom_count + weight_count - 1)) ** 0.5

    Parameters
    ----------
    known_scatter_log : standard deviation within the sources that the rule rests on, > 0
    squares_log : weighted sum of the runs' squared distances from their centre, >= 0
    weight_count : sum of the weights, > 0; 1 for a single run, which tells nothing of scatter
    freedom_count : how many runs the known scatter counts for, > 1

    References
    ----------
    .. [1] Gelman et al. 2013, Bayesian Data Analysis, section 2.6 (scaled inverse chi-square prior of a variance).
    """
    return ((freedom_count * known_scatter_log**2 + squares_log) / (freedom_count + weight_count - 1)) ** 0.5


def unlearned_share(weight_count: Quantity, spread_log: Quantity, scatter_log: Quantity) -> Quantity:
    """Share of the variance between clusters that runs leave open: 1 without any, towards 0 with many.

    unlearned_share = 1 / (1 + weight_count * (spread_log / scatter_log) ** 2)

    Parameters
    ----------
    weight_count : sum of the runs' weights, >= 0
    spread_log : standard deviation of levels between clusters, >= 0
    scatter_log : standard deviation of one run about its cluster's level, > 0

    References
    ----------
    .. [1] Gelman et al. 2013, Bayesian Data Analysis, section 5.4 (normal data, normal prior).
    """
    return 1 / (1 + weight_count * (spread_log / scatter_log) ** 2)


def level_ratio(centre_log: Quantity, unlearned_share: Quantity) -> Quantity:
    """Throughput of a cluster over the predicted one: its runs' centre, pulled towards 1 as far as they leave open.

    level_ratio = math.e ** ((1 - unlearned_share) * centre_log)

    Parameters
    ----------
    centre_log : weighted mean of the runs' log ratios
    unlearned_share : 0 to 1

    References
    ----------
    .. [1] Efron, Morris 1975, Data analysis using Stein's estimator, JASA 70(350).
    """
    return math.e ** ((1 - unlearned_share) * centre_log)


def kept_spread_log(
    run_spread_log: Quantity, steady_spread_log: Quantity, steady_unlearned_share: Quantity
) -> Quantity:
    """Spread of whole-run levels that is left once steady measurements have moved the steady level.

    kept_spread_log = (run_spread_log ** 2 - (1 - steady_unlearned_share) * steady_spread_log ** 2) ** 0.5

    Parameters
    ----------
    run_spread_log : standard deviation of whole-run levels between organizations, at least that of steady levels
    steady_spread_log : standard deviation of steady levels between sources, >= 0
    steady_unlearned_share : 0 to 1; 1 where nothing steady was measured

    References
    ----------
    .. [1] Gelman et al. 2013, Bayesian Data Analysis, section 5.4: independent variances add.
    """
    return (run_spread_log**2 - (1 - steady_unlearned_share) * steady_spread_log**2) ** 0.5


def error_end_log(
    shipped_end_log: Quantity, unlearned_share: Quantity, scatter_log: Quantity, normal_score: Quantity
) -> Quantity:
    """An end of the interval of the next run: from the shipped end towards the scatter of runs on one cluster.

    error_end_log = (unlearned_share * shipped_end_log ** 2 + (1 - unlearned_share) * (normal_score * scatter_log) ** 2) ** 0.5

    The posterior predictive end where the shipped one holds both spread and scatter; a lopsided interval stays so
    as far as the level is open.

    Parameters
    ----------
    shipped_end_log : distance of the shipped end from the mid, >= 0
    unlearned_share : 0 to 1
    scatter_log : standard deviation of one run about its cluster's level, > 0
    normal_score : of the end's percentile, > 0

    References
    ----------
    .. [1] Gelman et al. 2013, Bayesian Data Analysis, section 2.5 (posterior predictive variance).
    """
    own = (1 - unlearned_share) * (normal_score * scatter_log) ** 2
    return (unlearned_share * shipped_end_log**2 + own) ** 0.5
