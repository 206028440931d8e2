"""All figures of bayescomb: ``draw_x(arrays, *, options, ax=None) -> Axes``, in the unit of the arrays they are given.

They draw on the axes of any figure, know nothing of combinations or posteriors, show nothing and leave the global style
alone; :func:`bayescomb.figures_style.figure_style` is the style that the report uses around them.

Examples:
    >>> from matplotlib.figure import Figure
    >>> from bayescomb.figures import draw_impacts
    >>> from bayescomb.figures_style import figure_style
    >>> with figure_style():
    ...     ax = draw_impacts(["jet energy", "method"], [0.22, 0.07], unit="GeV", ax=Figure().subplots())
    >>> len(ax.patches)
    2
"""

from bayescomb.figures_bins import draw_bins
from bayescomb.figures_calibration import draw_coverage, draw_ecdf_difference
from bayescomb.figures_coefficients import (
    draw_coefficient,
    draw_coefficients,
    draw_correlation_scan,
    draw_scan_curves,
    draw_scan_shifts,
)
from bayescomb.figures_components import draw_correlation_matrix, draw_impacts, draw_pulls, draw_ranks
from bayescomb.figures_predictive import draw_predictive
from bayescomb.figures_ranking import draw_impact_map, draw_ranking, draw_shares
from bayescomb.figures_result import draw_inputs, draw_posterior
from bayescomb.figures_sets import draw_ratios, draw_sets

__all__ = [
    "draw_bins",
    "draw_coefficient",
    "draw_coefficients",
    "draw_correlation_matrix",
    "draw_correlation_scan",
    "draw_coverage",
    "draw_ecdf_difference",
    "draw_impact_map",
    "draw_impacts",
    "draw_inputs",
    "draw_posterior",
    "draw_predictive",
    "draw_pulls",
    "draw_ranking",
    "draw_ranks",
    "draw_ratios",
    "draw_scan_curves",
    "draw_scan_shifts",
    "draw_sets",
    "draw_shares",
]
