"""Structure of the figures, without pixels: labels, artists, limits; and that nothing global changes."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import bayescomb.output.figures as figures
from bayescomb.base.errors import InputWarning
from bayescomb.output.figures.style import COLOURS, figure_bytes, figure_style, math_name, plain, symbol

pytestmark = pytest.mark.usefixtures("no_open_figures")


@pytest.fixture
def ax():
    with figure_style():
        yield Figure(layout="constrained").subplots()


def rows(ax):
    """Row names from top to bottom."""
    ticks = sorted(zip(ax.get_yticks(), ax.get_yticklabels(), strict=True), key=lambda pair: pair[0])
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    return [label.get_text() for _, label in ticks]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


DRAWS = np.random.default_rng(1).normal(172.5, 0.3, 2000)
GRID = np.linspace(171.5, 173.5, 50)


def draw(name, ax=None):
    """One call of every draw function with the least it needs."""
    calls = {
        "draw_posterior": lambda: figures.draw_posterior(DRAWS, interval=(172.2, 172.8), ax=ax),
        "draw_inputs": lambda: figures.draw_inputs(["a", "b"], [1.0, 2.0], [0.1, 0.2], ax=ax),
        "draw_coefficients": lambda: figures.draw_coefficients(["r"], [0.0], [0.5], nominal=[0.2], ax=ax),
        "draw_scan_shifts": lambda: figures.draw_scan_shifts(["r"], [1.0], ax=ax),
        "draw_scan_curves": lambda: figures.draw_scan_curves([[0, 1]], [[-1, 1]], ["r"], ax=ax),
        "draw_impacts": lambda: figures.draw_impacts(["s"], [0.1], ax=ax),
        "draw_pulls": lambda: figures.draw_pulls(["n"], [0.5], [0.9], ax=ax),
        "draw_correlation_scan": lambda: figures.draw_correlation_scan(["a, b: r"], [0.1], [0.2], [0.3], ax=ax),
        "draw_correlation_matrix": lambda: figures.draw_correlation_matrix(np.eye(2), ["a", "b"], ax=ax),
        "draw_coefficient": lambda: figures.draw_coefficient(
            None, DRAWS - 172.5, quoted=(-1.0, 1.0), feasible=(-0.5, 1.0), nominal=0.2, curve=([-1, 1], [0, 1]), ax=ax
        ),
        "draw_ranking": lambda: figures.draw_ranking(["n"], [0.1], [-0.1], pulls=[0.5], constraints=[0.9], ax=ax),
        "draw_impact_map": lambda: figures.draw_impact_map(["s"], ["a", "b"], [[1.0, 2.0]], ax=ax),
        "draw_shares": lambda: figures.draw_shares(["s", "rest"], [1.1, -0.1], kinds=["group", "remainder"], ax=ax),
        "draw_predictive": lambda: figures.draw_predictive(
            ["a"], [1.0], centre=[1.1], width=[0.2], interval68=([0.9], [1.3]), interval95=([0.7], [1.5]), ax=ax
        ),
        "draw_coverage": lambda: figures.draw_coverage({"m_t": {"profile": [(0.7, 0.02)]}}, level=0.68, ax=ax),
        "draw_ecdf_difference": lambda: figures.draw_ecdf_difference({"m_t": [0.2, 0.6]}, ax=ax),
        "draw_sets": lambda: figures.draw_sets(["none", "jes"], profile=([1.0, 1.1], [0.1, 0.1]), label="$m_t$", ax=ax),
        "draw_ratios": lambda: figures.draw_ratios(["a"], names=["none"], values=[[1.0]], errors=[[0.1]], ax=ax),
        "draw_ranks": lambda: figures.draw_ranks(np.full((2, 5), 4), expected=4.0, spread=1.0, ax=ax),
    }
    return calls[name]()


# Bins have two panels: their test is below.
ONE_PANEL = [name for name in figures.__all__ if name != "draw_bins"]
UNLABELLED = {"draw_correlation_matrix", "draw_impact_map", "draw_coefficient"}  # their axis is that of a whole figure


@pytest.mark.parametrize("name", ONE_PANEL)
def test_draws_on_the_given_axes_and_opens_nothing(name, ax):
    assert draw(name, ax) is ax
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", ONE_PANEL)
def test_makes_its_own_figure_without_axes(name):
    own = draw(name)
    assert own.get_xlabel() or name in UNLABELLED
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", ONE_PANEL)
def test_leaves_the_global_style_alone(name):
    before = dict(mpl.rcParams)
    with figure_style():
        figure = Figure()
        draw(name, figure.subplots())
        figure.canvas.draw()
    assert dict(mpl.rcParams) == before


def test_posterior(ax):
    density = np.exp(-0.5 * ((GRID - 172.5) / 0.3) ** 2) / (0.3 * np.sqrt(2 * np.pi))
    figures.draw_posterior(
        DRAWS, interval=(172.2, 172.8), profile=(172.51, 0.33), density=(GRID, density), label="$m_t$", unit="GeV", ax=ax
    )
    assert ax.get_xlabel() == "$m_t$ [GeV]"
    assert ax.get_ylabel() == "probability density [1/GeV]"
    assert legend(ax) == [
        "posterior draws", "posterior density", "profile, exp(-Δχ²/2)", "posterior median, 68 % HDI", "profile, Δχ² = 1",
    ]  # fmt: skip
    intervals = [container[0].get_xdata()[0] for container in ax.containers if hasattr(container, "has_xerr")]
    np.testing.assert_allclose(intervals, [np.median(DRAWS), 172.51])
    assert ax.get_ylim()[0] < 0 <= min(ax.get_yticks())


def test_posterior_curve_of_the_profile_is_normalised(ax):
    figures.draw_posterior(DRAWS, interval=(172.2, 172.8), profile=(172.5, 0.33), ax=ax)
    curve = next(line for line in ax.lines if line.get_label().startswith("profile"))
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(1.0, abs=1e-3)


def test_inputs(ax):
    figures.draw_inputs(
        ["a", "b", "all"],
        [172.0, 174.0, 172.5],
        [[1.0, 2.0, 0.3], [1.5, 2.0, 0.3]],
        statistical=[0.5, 1.0, np.nan],
        kinds=["input", "input", "posterior"],
        texts=["1", "2", "3"],
        band=(172.5, 0.3),
        label="m",
        unit="GeV",
        ax=ax,
    )
    assert rows(ax) == ["a", "b", "all"]
    assert ax.get_xlabel() == "m [GeV]"
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3"]
    assert ax.get_xlim()[0] < 171.0
    assert ax.get_xlim()[1] > 176.0
    colours = [to_hex(container[0].get_color()).upper() for container in ax.containers]
    assert colours == ["#000000", "#000000", COLOURS["posterior"]]


def test_coefficients(ax):
    figures.draw_coefficients(
        ["one", "two"],
        [-0.25, 0.5],
        [0.25, 1.0],
        nominal=[0.0, 0.85],
        feasible=([-0.1, np.nan], [0.1, np.nan]),
        median=[0.0, 0.75],
        interval=([-0.17, 0.58], [0.17, 0.92]),
        ax=ax,
    )
    assert rows(ax) == ["one", "two"]
    assert legend(ax) == ["quoted range", "feasible range", "nominal", "posterior median, central 68 %"]
    assert [patch.get_width() for patch in ax.patches[:2]] == [0.5, 0.5]
    assert ax.get_xlim()[1] > 1.0


def test_scan_shifts_name_what_is_infeasible(ax):
    figures.draw_scan_shifts(["x", "y"], [-26.0, np.nan], label="half shift", unit="MeV", ax=ax)
    assert [text.get_text().strip() for text in ax.texts] == ["infeasible"]
    low, high = ax.get_xlim()
    assert low == -high < -26.0
    assert ax.get_xlabel() == "half shift [MeV]"


def test_scan_shifts_of_nothing_have_an_axis(ax):
    figures.draw_scan_shifts(["x"], [0.0], ax=ax)
    assert ax.get_xlim() == (-1.0, 1.0)


def test_scan_curves_have_one_line_and_one_dot_each(ax):
    figures.draw_scan_curves([[0, 1]] * 8, [[-1, 1]] * 8, list("abcdefgh"), nominal=[0.5] * 8, ax=ax)
    named = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in named] == list("abcdefgh")
    assert len({(line.get_color(), line.get_linestyle()) for line in named}) == 8
    assert len(ax.lines) == 1 + 2 * 8


def test_impacts_show_their_numbers_and_sign(ax):
    figures.draw_impacts(["s", "g", "t"], [0.2, -0.05, 0.3], kinds=["source", "group", "total"], unit="GeV", ax=ax)
    assert [text.get_text() for text in ax.texts] == ["0.200", "\u22120.050", "0.300"]
    assert ax.get_xlim()[0] < -0.05
    assert len({patch.get_facecolor() for patch in ax.patches}) == 3


def test_pulls_leave_out_what_has_none(ax):
    figures.draw_pulls(
        ["a", "b"], [0.5, np.nan], [0.9, np.nan], profile_pulls=[0.4, -3.0], profile_constraints=[0.9, 0.8], ax=ax
    )
    assert legend(ax) == ["posterior", "profile at nominal coefficients"]
    assert ax.get_xlim()[0] < -3.8
    assert ax.get_xlabel() == "pull [prior width]"


@pytest.mark.parametrize(("size", "numbers"), [(4, 6), (20, 0)])
def test_correlation_matrix_numbers_small_ones_below_the_diagonal(ax, size, numbers):
    figures.draw_correlation_matrix(np.eye(size), [str(i) for i in range(size)], ax=ax)
    assert len(ax.texts) == numbers
    assert ax.images[0].get_clim() == (-1.0, 1.0)
    assert ax.images[0].get_cmap().name.startswith("RdBu")


def test_ranks(ax):
    figures.draw_ranks(np.full((4, 20), 75), expected=75.0, spread=8.0, label="rho[x]", ax=ax)
    assert legend(ax) == [f"chain {i}" for i in range(1, 5)]
    assert ax.get_title() == "rho[x]"


def test_text_of_users_is_no_mathematics(ax):
    figures.draw_impacts(["a $x_1"], [1.0], ax=ax)
    ax.figure.canvas.draw()
    assert rows(ax) == [r"a \$x_1"]
    assert plain("5 $") == r"5 \$"


def test_labels():
    assert math_name("m_t") == "$m_{t}$"
    assert math_name("a_b_c") == "a_b_c"


def test_bins_have_a_ratio_panel_around_one():
    upper, lower = figures.draw_bins(
        [[0, 1], [1, 3]],
        measured=[2, 1],
        errors=[0.2, 0.1],
        predicted={"170 GeV": [2.2, 0.9]},
        fitted=[2, 1],
        variable="rho",
    )
    assert lower.get_xlabel() == "rho"
    assert legend(upper)[0] == "170 GeV"
    low, high = lower.get_ylim()
    assert 0.5 < low < 0.9
    assert 1.1 < high < 1.5


def test_ranking_shows_both_signs_and_pulls(ax):
    figures.draw_ranking(
        ["a", "b", "group"],
        [0.2, -0.1, 0.3],
        [-0.2, 0.1, -0.3],
        pulls=[0.5, -0.4, np.nan],
        constraints=[0.9, 1.1, np.nan],
        before=([0.25, -0.1, np.nan], [-0.25, 0.1, np.nan]),
        groups=1,
        unit="GeV",
        ax=ax,
    )
    assert rows(ax) == ["a", "b", "group"]
    assert [bar.get_width() for bar in ax.patches] == [0.2, -0.1, -0.2, 0.1, 0.25, -0.1, -0.25, 0.1, 0.3, -0.3]
    low, high = ax.get_xlim()
    assert low == -high
    top = ax.figure.axes[1]
    assert top.get_xlabel() == "pull [prior width]"
    bars = [f"{what} {sign}1 sd" for what in ("post-fit", "pre-fit") for sign in ("+", "\N{MINUS SIGN}")]
    assert legend(top) == [*bars, "pull and constraint"]


def test_coefficient_panel_hatches_what_is_not_feasible(ax):
    figures.draw_coefficient(
        np.linspace(0, 1, 200), None, quoted=(0.0, 1.0), feasible=(0.25, 0.75), nominal=0.5, curve=([0, 1], [-3.0, 3.0]),
        title="a", label="shift", unit="MeV", ax=ax,
    )  # fmt: skip
    hatched = [patch.get_bbox() for patch in ax.patches if patch.get_hatch()]
    assert [(box.x0, box.x1) for box in hatched] == [(0.0, 0.25), (0.75, 1.0)]
    assert ax.figure.axes[1].get_ylabel() == "shift [MeV]"


def test_predictive_is_in_units_of_its_width(ax):
    figures.draw_predictive(
        ["a", "b"], [12.0, 10.0], centre=[10.0, 10.0], width=[1.0, 2.0], interval68=([9, 8], [11, 12]),
        interval95=([8, 6], [12, 14]), p_values=[0.05, 1.0], ax=ax,
    )  # fmt: skip
    points = next(line for line in ax.lines if line.get_label() == "measured")
    np.testing.assert_allclose(points.get_xdata(), [2.0, 0.0])
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [4, 4, 2, 2])


def test_letters_that_no_font_has_are_said_once_and_others_drawn():
    """A long name leaves place for what is drawn, mathematics that cannot be read stands as it is."""
    with figure_style():
        figure = Figure(layout="constrained")
        ax = figure.subplots()
        ax.set_xlabel("\u8cea\u91cf")
        ax.set_ylabel(symbol("l" * 300, "$\\frac{$"))
        with pytest.warns(InputWarning, match="no font of the figures has \u8cea \u91cf: boxes"):
            figure_bytes(figure, "png")
        assert figure_bytes(figure, "pdf")[:4] == b"%PDF"


def test_error_bars_of_negative_values_are_lengths():
    """A charge asymmetry or F_R below 0 has an error over its value, which is no length."""
    ax = Figure().subplots()
    figures.draw_ratios(["F_R"], names=["none", "jes"], values=[[-0.008], [-0.006]], errors=[[0.007], [0.008]], ax=ax)
    bars = [container.lines[2][0].get_segments()[0][:, 0] for container in ax.containers]
    np.testing.assert_allclose(bars, [[0.125, 1.875], [-0.25, 1.75]])
    axes = Figure().subplots(2, 1)
    figures.draw_bins(
        [[0, 1]],
        measured=[-1.0],
        errors=[0.5],
        predicted={},
        fitted=[-1.0],
        variable="x",
        axes=tuple(axes),
        measured_by="CMS",
    )
    (container,) = axes[1].containers
    np.testing.assert_allclose(container.lines[2][1].get_segments()[0][:, 1], [0.5, 1.5])
