"""The figures of bayescomb: ``draw_x(arrays, *, options, ax=None) -> Axes``, in the unit of the given arrays.

Each draws on the axes of any figure, opens no window, knows neither combinations nor posteriors and does not change the
global style; :func:`bayescomb.output.figures.style.figure_style` is the style of the report.  Imports base, studies, and the
statements and words of output.  Start at result.

Examples:
    >>> from matplotlib.figure import Figure
    >>> from bayescomb.output.figures import draw_impacts
    >>> from bayescomb.output.figures.style import figure_style
    >>> with figure_style():
    ...     ax = draw_impacts(["jet energy", "method"], [0.22, 0.07], unit="GeV", ax=Figure().subplots())
    >>> len(ax.patches)
    2
"""

from bayescomb.output.figures.coefficients import (
    draw_coefficient,
    draw_coefficients,
    draw_correlation_scan,
    draw_scan_curves,
    draw_scan_shifts,
)
from bayescomb.output.figures.components import (
    draw_correlation_matrix,
    draw_impact_map,
    draw_impacts,
    draw_pulls,
    draw_ranking,
    draw_ranks,
    draw_shares,
)
from bayescomb.output.figures.result import draw_bins, draw_inputs, draw_posterior, draw_predictive
from bayescomb.output.figures.studies import draw_coverage, draw_ecdf_difference, draw_ratios, draw_sets

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
