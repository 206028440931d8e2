"""What an averaging group publishes, computed once, each part only if it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bayescomb.base.choices import INPUT_KINDS, TABLES, ScaleRule
from bayescomb.base.deferred import deferred
from bayescomb.base.errors import (
    BayescombError,
)
from bayescomb.fit.compatibility import Compatibility, compatibility, input_groups
from bayescomb.fit.impacts import ImpactResult, impacts
from bayescomb.fit.profile import ProfileResult
from bayescomb.inputs.combination import Combination

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.fit.averaging.inconsistency import ScaleFactors
    from bayescomb.fit.averaging.information import InformationWeights
    from bayescomb.fit.averaging.relative import RelativeReading
    from bayescomb.fit.averaging.some_inputs import GroupResults, WithoutEach
else:
    xr = deferred("xarray")

__all__ = ["EVERYTHING", "AverageInputs", "Averages", "averages", "possible_reading"]

# Tables that can be asked for.
EVERYTHING: Final = tuple(name for name in TABLES if name != "all")


@dataclass(frozen=True, kw_only=True)
class AverageInputs:
    """The estimates with the parts of their errors, as a publication tabulates them.

    Attributes:
        values: dim ``estimate``.
        parts: of their errors; its ``parameter`` is the estimate.
    """

    values: xr.DataArray
    parts: ImpactResult


@dataclass(frozen=True, kw_only=True)
class Averages:
    """What was asked for; a part is ``None`` or empty if it was not, or does not exist.

    Attributes:
        combination: what was combined.
        fit: its profile, scaled if that was asked for.
        inputs, impacts: of the estimates and of the results.
        information: weights of the estimates.
        covariances: by source.
        compatibility: by what an input is.
        without: results without each input.
        groups: results of experiments or of groups that were named.
        scales: factors on the errors.
        reading: of relative errors.
    """

    combination: Combination
    fit: ProfileResult
    inputs: AverageInputs | None = None
    impacts: ImpactResult | None = None
    information: InformationWeights | None = None
    covariances: xr.DataArray | None = None
    compatibility: Mapping[str, Sequence[Compatibility]]
    without: WithoutEach | None = None
    groups: GroupResults | None = None
    scales: tuple[ScaleFactors, ...] = ()
    reading: RelativeReading | None = None


def averages(
    fit: ProfileResult,
    *,
    of: Collection[str] = EVERYTHING,
    groups: Mapping[str, Sequence[str]] | None = None,
    scale: ScaleRule | None = None,
) -> Averages:
    """Compute what is asked for.

    Args:
        fit: the profile.
        of: some of :data:`EVERYTHING`.
        groups: of estimates, see :func:`bayescomb.group_results`; experiments by default.
        scale: rule of a factor on the errors of the results; none by default.

    Raises:
        UnknownNameError: a pattern of a group matches nothing.
    """
    from bayescomb.fit.averaging.inconsistency import scale_factors, scaled_profile
    from bayescomb.fit.averaging.information import information_weights, source_covariances
    from bayescomb.fit.averaging.some_inputs import group_results, without_each

    combination = fit.combination
    shown = fit if scale is None else scaled_profile(fit, scale)

    def wanted(*names: str) -> bool:
        return any(name in of for name in names)

    return Averages(
        combination=combination,
        fit=shown,
        inputs=_inputs(combination) if wanted("breakdown") else None,
        impacts=impacts(combination) if wanted("breakdown") else None,
        information=information_weights(combination) if wanted("weights") else None,
        covariances=_scaled(source_covariances(combination), shown) if wanted("sources") else None,
        compatibility=_compatibility(combination) if wanted("compatibility") else {},
        without=without_each(combination) if wanted("without") else None,
        groups=group_results(combination, groups) if wanted("groups") else None,
        scales=scale_factors(combination) if wanted("scale", "breakdown") else (),
        reading=possible_reading(combination) if wanted("relative") else None,
    )


def _inputs(combination: Combination) -> AverageInputs:
    saturated = combination.saturated()
    names = [e.name for e in combination.estimates]
    measured = np.array([e.value for e in combination.estimates])
    values = xr.DataArray(measured, dims="estimate", coords={"estimate": names})
    return AverageInputs(values=values, parts=impacts(saturated))


def _scaled(covariances: xr.DataArray, fit: ProfileResult) -> xr.DataArray:
    """Covariances by source, multiplied by the scale factors of the errors of the profile."""
    if fit.scale is None:
        return covariances
    factors = np.array([fit.scale.factors[str(p)] for p in covariances["parameter"].to_numpy()])
    return covariances * np.outer(factors, factors)


def _compatibility(combination: Combination) -> dict[str, tuple[Compatibility, ...]]:
    """Compatibility by each kind of input; a kind that groups the estimates as an earlier one does is left out."""
    found: dict[str, tuple[Compatibility, ...]] = {}
    known: list[set[tuple[str, ...]]] = []
    for by in INPUT_KINDS:
        groups = set(input_groups(combination, by).values())
        if groups not in known:
            found[by] = compatibility(combination, by=by)
        known.append(groups)
    return found


def possible_reading(combination: Combination) -> RelativeReading | None:
    """Result of :func:`bayescomb.relative_reading`; ``None`` if one reading has no result; the rest is shown then."""
    from bayescomb.fit.averaging.relative import relative_reading

    try:
        return relative_reading(combination)
    except BayescombError:
        return None
