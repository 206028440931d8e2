"""Results of some of the inputs: without each in turn, and of each experiment or channel by itself and fitted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.checks import check_choice, expects
from bayescomb.base.choices import INPUT_KINDS, InputKind
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import BayescombError
from bayescomb.base.numerics import correlation_of, single_threaded
from bayescomb.base.rounding import counted
from bayescomb.base.shown import Shown
from bayescomb.fit.compatibility import input_groups
from bayescomb.fit.fitter import Fitter, normalised_fit
from bayescomb.fit.profile import degrees_of_freedom, goodness_of_fit
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.some_estimates import (
    experiment_groups,
    grouped_name,
    in_force,
    matching_groups,
    per_group,
    with_estimates,
)

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = deferred("xarray")

__all__ = ["GroupResults", "PartialResult", "WithoutEach", "group_results", "without_each"]

# A difference of two variances below this share of the larger one is rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class PartialResult:
    """Results of some of the inputs.

    Attributes:
        name: of the input that is left out, or of the group that is combined.
        values, errors: dim ``parameter``; NaN for a result that these inputs do not determine.
        chi2, ndf, p_value: of the fit; ``p_value`` is ``None`` without a degree of freedom.
        problem: why there is no result, empty if there is one.
    """

    name: str
    values: xr.DataArray
    errors: xr.DataArray
    chi2: float | None = None
    ndf: int = 0
    p_value: float | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class WithoutEach(Shown):
    """The combination without each of its inputs in turn.

    Attributes:
        combination: the whole.
        by: what is left out, ``"measurement"``, ``"estimate"`` or ``"experiment"``.
        whole: the results of all.
        rows: one per input that is left out.
    """

    combination: Combination
    by: InputKind
    whole: PartialResult
    rows: tuple[PartialResult, ...]

    def _line(self) -> str:
        return f"{self.combination.name}: results without each of {counted(len(self.rows), f'{self.by}s')}"

    def title(self, row: PartialResult) -> str:
        """Title of the estimate that is left out; empty for several estimates, or without a title."""
        members = input_groups(self.combination, self.by).get(row.name, ())
        titles = {e.name: e.title for e in self.combination.estimates}
        return titles[members[0]] if len(members) == 1 else ""

    def shift(self, row: PartialResult) -> tuple[xr.DataArray, xr.DataArray]:
        """Shift of the results without an input, and its error: the root of the difference of the variances.

        The combined result is the best unbiased one, so that it is uncorrelated with its difference from any other.
        """
        variance = row.errors**2 - self.whole.errors**2
        kept = variance.where(variance > ROUNDING * row.errors**2, 0.0).where(np.isfinite(variance))
        return row.values - self.whole.values, kept.copy(data=np.sqrt(kept.to_numpy()))


@dataclass(frozen=True, kw_only=True, repr=False)
class GroupResults(Shown):
    """Results of groups of estimates, alone and together.

    Attributes:
        combination: the whole.
        groups: group -> its estimates.
        alone: combination of each group by itself.
        together: all groups fitted at once, each with observables of its own: correlations between the groups pass the
            constraints of common sources from each to the others; ``None`` where that is impossible, see ``problem``.
        correlation: correlation of these, dims ``result``, ``result_b``; ``None`` with ``together``.
        chi2: chi2 with one value for all groups less chi2 with a value for each.
        ndf, p_value: of this difference: whether the groups agree.
        problem: why the groups cannot be fitted together.
    """

    combination: Combination
    groups: Mapping[str, tuple[str, ...]]
    alone: tuple[PartialResult, ...]
    together: tuple[PartialResult, ...] | None = None
    correlation: xr.DataArray | None = None
    chi2: float | None = None
    ndf: int = 0
    p_value: float | None = None
    problem: str = ""

    def _line(self) -> str:
        return f"{self.combination.name}: results of {counted(len(self.groups), 'groups')}, alone and together"


@expects(combination="combination")
@single_threaded
def without_each(combination: Combination, *, by: InputKind = "measurement") -> WithoutEach:
    """The combination without each input in turn, at nominal coefficients.

    Args:
        combination: what to combine.
        by: what is left out, ``"measurement"``, ``"estimate"`` or ``"experiment"``.

    Raises:
        OptionError: ``by`` is none of these words.
        InfeasibleCorrelationError: the nominal coefficients leave the feasible set.

    Examples:
        >>> import bayescomb as bc
        >>> found = bc.without_each(bc.load("models/run1_mass"))
        >>> shifts = {row.name: found.shift(row)[0].item() for row in found.rows}
        >>> largest = max(shifts, key=lambda name: abs(shifts[name]))
        >>> largest, round(shifts[largest], 2)
        ('o', -0.12)
    """
    check_choice(by, INPUT_KINDS, where="what is left out")
    groups = input_groups(combination, by)
    names = [e.name for e in combination.estimates]
    whole = _partial(combination, combination, "all")
    rows, current = [], in_force(combination)
    for name, members in groups.items() if len(groups) > 1 else ():
        rest = [e for e in names if e not in members]
        try:
            rows.append(_partial(combination, with_estimates(current, rest), name))
        except BayescombError as error:
            rows.append(_nothing(combination, name, str(error)))
    return WithoutEach(combination=combination, by=by, whole=whole, rows=tuple(rows))


@expects(combination="combination")
@single_threaded
def group_results(combination: Combination, groups: Mapping[str, Sequence[str]] | None = None) -> GroupResults:
    """Results of each experiment, or of each channel, alone and all together, at nominal coefficients.

    Args:
        combination: what to combine; of an extraction the groups alone have its masses, together the observables.
        groups: group -> patterns of the names or titles of its estimates, or of their measurements; experiments by default.

    Raises:
        UnknownNameError: a pattern matches nothing.
        OptionError: an estimate is in two groups.

    Examples:
        >>> import bayescomb as bc
        >>> found = bc.group_results(bc.load("models/run1_mass"))
        >>> [f"{row.name} {row.values.item():.2f} +- {row.errors.item():.2f}" for row in found.alone]
        ['ATLAS 172.70 +- 0.48', 'CMS 172.52 +- 0.41']
        >>> found.ndf, found.p_value > 0.5
        (1, True)
    """
    chosen = experiment_groups(combination) if groups is None else matching_groups(combination, groups)
    alone, current = [], in_force(combination)
    for name, members in chosen.items():
        try:
            alone.append(_partial(combination, with_estimates(current, members), name))
        except BayescombError as error:
            alone.append(_nothing(combination, name, str(error)))
    apart = partial(GroupResults, combination=combination, groups=chosen, alone=tuple(alone))
    if len(chosen) < 2:
        problem = "there is one group only" if chosen else "no input names its experiment"
        return apart(problem=problem)
    try:
        split = per_group(current, chosen)
        one = with_estimates(current.with_extraction(""), [e for members in chosen.values() for e in members])
        fit, values, covariance = _fitted(split)
        chi2 = _fitted(one)[0] - fit
    except BayescombError as error:
        return apart(problem=str(error))
    ndf = degrees_of_freedom(one) - degrees_of_freedom(split)
    if not ndf:
        return apart(problem="they measure nothing in common")
    labels = [o.name for o in split.observables]
    spread = covariance.to_numpy()
    errors = np.sqrt(np.diag(spread))
    observables = [o.name for o in combination.observables]

    def of(group: str, numbers: FloatArray) -> xr.DataArray:
        at = {name: i for i, name in enumerate(labels)}
        found = [numbers[at[n]] if (n := grouped_name(o, group)) in at else np.nan for o in observables]
        return xr.DataArray(found, dims="parameter", coords={"parameter": observables})

    return apart(
        together=tuple(
            PartialResult(name=g, values=of(g, values.to_numpy()), errors=of(g, errors)) for g in chosen
        ),
        correlation=xr.DataArray(
            correlation_of(spread), dims=("result", "result_b"), coords={"result": labels, "result_b": labels}
        ),
        chi2=chi2,
        ndf=ndf,
        p_value=goodness_of_fit(chi2, ndf),
    )  # fmt: skip


def _fitted(combination: Combination) -> tuple[float, xr.DataArray, xr.DataArray]:
    """Chi2, values and covariance of the results."""
    fit, _ = normalised_fit(combination, Fitter(combination).nominal())
    names = [o.name for o in combination.results]
    index = fit.positions(names)
    known = fit.nan_at_bound[index]
    covariance = fit.covariance[np.ix_(index, index)] + known + known[:, None]
    coords = {"parameter": names}
    square = xr.DataArray(covariance, dims=("parameter", "parameter_b"), coords={**coords, "parameter_b": names})
    return fit.chi2, xr.DataArray(fit.values[index], dims="parameter", coords=coords), square


def _partial(whole: Combination, part: Combination, name: str) -> PartialResult:
    chi2, values, covariance = _fitted(part)
    ndf = degrees_of_freedom(part)
    errors = values.copy(data=np.sqrt(np.diag(covariance)))
    shown = {"parameter": [o.name for o in whole.headline]}
    return PartialResult(
        name=name,
        values=values.reindex(shown),
        errors=errors.reindex(shown),
        chi2=chi2,
        ndf=ndf,
        p_value=goodness_of_fit(chi2, ndf),
    )


def _nothing(whole: Combination, name: str, problem: str) -> PartialResult:
    names = [o.name for o in whole.headline]
    empty = xr.DataArray(np.full(len(names), np.nan), dims="parameter", coords={"parameter": names})
    return PartialResult(name=name, values=empty, errors=empty, problem=problem)
