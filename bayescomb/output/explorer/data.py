"""Numbers of the assumption explorer: a combination as plain data from which a page fits any setting exactly.

Every measurement is reduced to rows over its estimates and those of its nuisances whose correlation can be changed; all
others are integrated.  With F the loadings of the kept ones, the covariance of the rows is V(r) = V_0 + F C(r) F^T for all
assumption sets.  The part of V_0 that each integrated nuisance contributes is kept, so that the variance can be divided by
source.
"""

from __future__ import annotations

import itertools

import numpy as np

from bayescomb.base.errors import OptionError
from bayescomb.fit.profile import has_pulls
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement, Nuisance
from bayescomb.inputs.theory.extractions import SCALE_COEFFICIENT
from bayescomb.likelihood.correlation import CorrelationFamily, correlation_family
from bayescomb.likelihood.data_information import measurement_factor
from bayescomb.likelihood.linear_gaussian import LinearModel, integrate_out
from bayescomb.output.explorer.records import (
    ExplorerBlock,
    ExplorerCoefficient,
    ExplorerMeasurement,
    ExplorerModel,
    ExplorerSet,
    ExplorerSwitch,
    Pairs,
    explorer_theory,
)

__all__ = ["explorer_model"]


def explorer_model(combination: Combination) -> ExplorerModel:
    """All numbers of the explorer page.

    Args:
        combination: with a chi2 that is quadratic in the observables.

    Raises:
        OptionError: it has parameters or formulas, its chi2 is not quadratic, its results are normalised or cannot be
            negative, an extraction uses a rate alone, or the sizes of its sources are uncertain.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.explorer.data import explorer_model
        >>> model = explorer_model(bc.load("models/run1_mass"))
        >>> len(model.measurements), [s.name for s in model.sets], len(model.sets[0].coefficients)
        (15, ['nominal', 'filled_pileup', 'uncorrelated'], 19)
    """
    _require_explorable(combination)
    bound = [n for n in combination.nuisances if not n.free]
    families = {name: correlation_family(combination.with_assumptions(name)) for name in combination.assumption_sets}
    shared = _shared_switches(combination, bound)
    kept = _kept(families, shared)
    position = {index: i for i, index in enumerate(kept)}
    numbers = {n.name: i for i, n in enumerate(bound)}
    own = zip(combination.measurements, combination.estimate_slices, strict=True)
    measurements = [_measurement(combination, m, estimates, numbers, position) for m, estimates in own]
    return ExplorerModel(
        name=combination.name,
        title=combination.title,
        observables=[
            {"name": o.name, "title": o.title, "unit": o.unit, "spectator": o.spectator} for o in combination.observables
        ],
        estimates=[{"name": e.name, "title": e.title, "value": e.value} for e in combination.estimates],
        sources=[{"name": s.name, "title": s.title, "group": s.group} for s in combination.sources],
        design=combination.design.tolist(),
        nuisances=[{"name": bound[i].name, "source": bound[i].source or bound[i].name} for i in kept],
        measurements=measurements,
        sets=[_set(combination, name, families[name], position, shared) for name in families],
        assumptions=combination.assumptions,
        treatment=combination.treatment,
        repair=combination.repair,
        pulls=any(has_pulls(combination, m) for m in combination.measurements),
        theory=explorer_theory(combination),
        bases={name: own.base or name for name, own in combination.assumption_sets.items()},
        extraction=(combination.extraction or "none") if combination.extractions else "",
    )


def _require_explorable(combination: Combination) -> None:
    where = f"combination {combination.name!r} cannot be explored"
    if combination.functions or combination.parameters:
        msg = (
            f"{where}: the page knows observables and no parameters, formulas or derived quantities, which need not be "
            "linear; use 'bayescomb scan' or 'bayescomb profile'"
        )
        raise OptionError(msg)
    if not combination.quadratic:
        pearson = combination.pearson
        cause = "chi2 'pearson'" if pearson else "chi2 with relative, lognormal or asymmetric responses or likelihood tables"
        other = ", or --chi2 neyman" if pearson else ""
        msg = f"{where}: {cause} is not quadratic, and the page does not interpolate; use 'bayescomb scan'{other}"
        raise OptionError(msg)
    if combination.normalise:
        msg = f"{where}: its results are divided by their sum, which is not linear; leave out 'normalise', or use 'scan'"
        raise OptionError(msg)
    if combination.nonnegative:
        msg = (
            f"{where}: {', '.join(combination.nonnegative)} cannot be negative, and the page knows no bounds; leave out "
            "'nonnegative', or use 'bayescomb scan'"
        )
        raise OptionError(msg)
    extraction = combination.extraction_in_force
    rates = [] if extraction is None else [name for name, kind in extraction.distributions.items() if kind == "rate"]
    if rates:
        msg = f"{where}: the rate of {', '.join(rates)} alone counts, which the page does not have; use 'bayescomb profile'"
        raise OptionError(msg)
    if combination.errors_on_errors:
        msg = (
            f"{where}: the sizes of {', '.join(combination.errors_on_errors)} are uncertain (errors_on_errors), which is "
            "not linear; leave them out, or use 'bayescomb profile'"
        )
        raise OptionError(msg)


def _shared_switches(combination: Combination, bound: list[Nuisance]) -> list[ExplorerSwitch]:
    """Sources with at most one nuisance per estimate, so that each pair of these can be set to correlated or not.

    Pairs are positions among all nuisances with a prior.
    """
    support: dict[str, frozenset[str]] = {}
    for measurement in combination.measurements:
        responses, _ = measurement.all_responses
        names = [e.name for e in measurement.estimates]
        for nuisance, column in zip(measurement.all_nuisances, responses.T, strict=True):
            own = [name for name, value in zip(names, column, strict=True) if value]
            fitted = measurement.fit is not None and nuisance in measurement.fit.nuisances
            support[nuisance.name] = frozenset(names if fitted else own)
    members: dict[str, list[int]] = {}
    for i, nuisance in enumerate(bound):
        if nuisance.source:
            members.setdefault(nuisance.source, []).append(i)
    titles = {s.name: s.title for s in combination.sources}
    switches = []
    for source, index in members.items():
        pairs = list(itertools.combinations(index, 2))
        # Nuisances without a shift are included, because a set may correlate them with the others.
        acting = [i for i in index if support[bound[i].name]]
        if len(acting) > 1 and not any(support[bound[i].name] & support[bound[j].name] for i, j in pairs):
            found: Pairs = [(i, j, 1.0) for i, j in pairs]
            switches.append(ExplorerSwitch(name=source, title=titles.get(source, ""), pairs=found))
    return switches


def _kept(families: dict[str, CorrelationFamily], shared: list[ExplorerSwitch]) -> list[int]:
    """Positions of the nuisances that an assumption set correlates or a switch can correlate."""
    kept = {int(i) for family in families.values() for b in family.blocks if len(b.nuisances) > 1 for i in b.nuisances}
    kept |= {i for switch in shared for pair in switch.pairs for i in pair[:2]}
    return sorted(kept)


def _measurement(
    combination: Combination, measurement: Measurement, estimates: slice, numbers: dict[str, int], position: dict[int, int]
) -> ExplorerMeasurement:
    """The reduced rows of one measurement, whose estimates are at these positions."""
    factor = measurement_factor(measurement, nuisance_values=combination.nuisance_values)
    nuisances, n = measurement.all_nuisances, len(measurement.estimates)
    n_fitted = len(nuisances) - len(measurement.nuisances)
    free = [i for i, nuisance in enumerate(nuisances) if nuisance.free]
    bound = [i for i, nuisance in enumerate(nuisances) if not nuisance.free]
    kept = [k for k, i in enumerate(bound) if numbers[nuisances[i].name] in position]
    # A nuisance without shift and without correlation has no effect.
    others = [k for k, i in enumerate(bound) if k not in kept and factor.rows[:, n + i].any()]
    loading = factor.rows[:, [n + i for i in bound]]
    full = LinearModel(
        parameters=tuple(e.name for e in measurement.estimates) + tuple(nuisances[i].name for i in free),
        nuisances=tuple(nuisances[i].name for i in bound),
        design=np.hstack([factor.rows[:, :n], factor.rows[:, [n + i for i in free]]]),
        loading=loading,
        # The derivative by its own rows is the linear map that reduces them.
        estimate_loading=np.eye(len(factor.rows)),
        offset=factor.offset,
        signs=factor.signs,
    )
    reduced = integrate_out(full, np.array(kept, dtype=np.intp), np.eye(len(bound))) if others else full
    projection = reduced.estimate_loading
    externalised = [i - n_fitted for i in free if i >= n_fitted]
    return ExplorerMeasurement(
        name=measurement.name,
        experiment=measurement.experiment,
        estimates=list(range(estimates.start, estimates.stop)),
        free=[nuisances[i].name for i in free],
        free_externalised=[i >= n_fitted for i in free],
        kept=[position[numbers[nuisances[bound[k]].name]] for k in kept],
        integrated=[nuisances[bound[k]].source or nuisances[bound[k]].name for k in others],
        design=reduced.design[:, :n].tolist(),
        free_design=reduced.design[:, n:].tolist(),
        free_responses=measurement.responses[:, externalised].tolist(),
        loading=(reduced.loading if others else loading[:, kept]).tolist(),
        integrated_loading=(projection @ loading[:, others]).tolist(),
        total=measurement.is_total,
        statistical=((projection * factor.signs) @ projection.T).tolist(),
        noise=np.diag(reduced.signs).tolist(),
        negative=int((reduced.signs < 0).sum()),
        derivative=(projection @ factor.derivative).tolist(),
        offset=reduced.offset.tolist(),
        constant=reduced.constant,
    )


def _set(
    combination: Combination,
    name: str,
    family: CorrelationFamily,
    position: dict[int, int],
    shared: list[ExplorerSwitch],
) -> ExplorerSet:
    coefficients = []
    for coefficient, (first, second, sign) in zip(family.coefficients, family.pairs, strict=True):
        low, high = coefficient.range
        coefficients.append(
            ExplorerCoefficient(
                name=coefficient.name,
                title=coefficient.title,
                source=coefficient.source,
                nominal=coefficient.nominal,
                low=low,
                high=high,
                varied=coefficient.varied,
                prior=coefficient.prior if coefficient.varied else "fixed",
                pairs=[(position[int(i)], position[int(j)], float(s)) for i, j, s in zip(first, second, sign, strict=True)],
            )
        )
    upper = np.triu(family.base, k=1)
    switches = [
        ExplorerSwitch(name=s.name, title=s.title, pairs=[(position[i], position[j], sign) for i, j, sign in s.pairs])
        for s in shared
    ]
    stated = {frozenset(pair[:2]) for switch in switches for pair in switch.pairs}
    taken = {switch.name for switch in switches}
    for c in coefficients:
        # A pair of components of two profiled fits: the switch sets this pair, not all components of the source.
        if c.name not in taken and not any(frozenset(pair[:2]) in stated for pair in c.pairs):
            switches.append(ExplorerSwitch(name=c.name, title=c.title, pairs=c.pairs))
    scales = _scale_coefficient(combination)
    return ExplorerSet(
        name=name,
        description=combination.assumption_sets[name].description,
        coefficients=[*coefficients, *([scales] if scales else [])],
        base=[(position[int(i)], position[int(j)], float(upper[i, j])) for i, j in zip(*np.nonzero(upper), strict=True)],
        blocks=[
            ExplorerBlock(label=b.label, nuisances=[position[int(i)] for i in b.nuisances])
            for b in family.blocks
            if len(b.nuisances) > 1
        ],
        switches=switches,
    )


def _scale_coefficient(combination: Combination) -> ExplorerCoefficient | None:
    """The correlation of the scales between energies, which links no two nuisances of the inputs."""
    extraction = combination.extraction_in_force
    if extraction is None or extraction.scales.treatment != "correlated":
        return None
    scales = extraction.scales
    return ExplorerCoefficient(
        name=SCALE_COEFFICIENT,
        title="scales of the prediction between energies",
        source="",
        nominal=scales.nominal,
        low=scales.low,
        high=scales.high,
        varied=True,
        prior="uniform",
        pairs=[],
    )
