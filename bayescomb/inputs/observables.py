"""Observables, sources and their descriptions: name, title, unit, origin, and the name of the variable of a result.

In a PyMC model and in a posterior every result is a variable beside ``rho``, ``pull`` and the dimensions, and netCDF has
rules for the names of variables.  A result keeps its name wherever that is possible.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from bayescomb.base.checks import check_choice, check_finite
from bayescomb.base.choices import BLINDINGS, PROVENANCE_KINDS, SIZE_KINDS, BlindingKind, ProvenanceKind, SizeKind
from bayescomb.base.errors import RangeError

__all__ = ["Blinding", "BlindingKind", "ErrorOnError", "Observable", "Provenance", "Source", "variable_name"]

# Names of variables and dimensions of models and posteriors, of the potential, and of the groups, which xarray mistakes for
# variables when it loads a tree.
RESERVED: Final = frozenset({
    "chain", "coefficient", "conditional", "data", "draw", "energy", "estimate", "estimate_value", "nuisance",
    "observed_data", "parameter",
    "posterior", "prior", "pull", "rho", "sample", "sample_stats", "scale_correlation", "theory_nuisance", "theory_pull",
    "uncertain_size", "unconstrained", "unnormalised", "variance_scale", "white", "white_explicit", "white_nuisance",
    "white_scales", "log_likelihood", "log_likelihood_by_measurement", "measurement", "posterior_predictive",
})  # fmt: skip
# Labels of entries along a coordinate ("rho[JES]"), and names that PyMC gives to transformed variables.
OURS: Final = re.compile(r"(rho|pull|theory_pull|variance_scale|scale)\[.*|.*__|\.{1,2}|white_explicit.*")
PREFIX: Final = "parameter "
# netCDF allows 255 bytes.
LONGEST: Final = 200


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Origin of a table of published figures.

    Attributes:
        table: name of the table, e.g. ``"budget"``.
        kind: ``"published"``, ``"reconstructed"`` or ``"assumed"``.
        origin: publication or argument that the figures rest on.
        note: what was done to the figures on the way, empty if nothing.

    Examples:
        >>> import bayescomb as bc
        >>> bc.Provenance(table="budget", kind="published", origin="PRL 132 (2024) 261902").kind
        'published'
    """

    table: str
    kind: ProvenanceKind
    origin: str
    note: str = ""

    def __post_init__(self) -> None:
        check_choice(self.kind, PROVENANCE_KINDS, where=f"provenance of {self.table}")


@dataclass(frozen=True, kw_only=True)
class Blinding:
    """State of a blinded combination (:mod:`bayescomb.inputs.blinding`).

    Attributes:
        kind: ``"shift"`` or ``"factor"``.
        fingerprint: hash of the phrase, from which the phrase does not follow.
    """

    kind: BlindingKind
    fingerprint: str

    def __post_init__(self) -> None:
        check_choice(self.kind, BLINDINGS, where="kind of a blinding")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of systematic uncertainty, which its nuisances name.

    Examples:
        >>> import bayescomb as bc
        >>> bc.Source(name="JES", title="jet energy scale", group="experimental").group
        'experimental'
    """

    name: str
    title: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class ErrorOnError:
    """How well the size of a quoted systematic uncertainty is known (:mod:`bayescomb.likelihood.uncertain_sizes`).

    Attributes:
        relative: relative uncertainty of the quoted standard deviation, above 0; 0.5 is "known to a factor of 1.5".
        kind: ``"common"`` if one factor corrects the sizes of a source in all estimates, ``"independent"`` if each size has
            a factor of its own, which needs uncorrelated nuisances.

    Examples:
        >>> import bayescomb as bc
        >>> bc.ErrorOnError(relative=0.5).kind
        'common'
    """

    relative: float
    kind: SizeKind = "common"

    def __post_init__(self) -> None:
        check_choice(self.kind, SIZE_KINDS, where="kind of an error on an error")
        check_finite([self.relative], where="relative uncertainty of an uncertainty")
        if not 0 < self.relative <= 1:
            msg = f"error on an error: {self.relative} found, a relative uncertainty above 0 and up to 1 is allowed"
            raise RangeError(msg)


@dataclass(frozen=True, kw_only=True)
class Observable:
    """A combined quantity, flat a priori unless a prediction says otherwise.

    A ``spectator`` carries a single estimate that nothing else measures: it takes part in the fit through the nuisances
    it shares and is left out of a normalisation.  With a ``formula`` it is a function of parameters and other observables
    (:mod:`bayescomb.inputs.formulas`) and not fitted itself.

    Examples:
        >>> import bayescomb as bc
        >>> bc.Observable(name="m_t", unit="GeV", title="top-quark mass").spectator
        False
    """

    name: str
    unit: str = ""
    title: str = ""
    spectator: bool = False
    formula: str = ""


def variable_name(name: str) -> str:
    """Name of the variable that holds a result in the groups of a posterior and in a PyMC model.

    It is the name of the result, unless that is ``rho`` or another reserved name, holds a ``/``, or is longer than netCDF
    allows: then it is ``parameter`` and the name, with ``/`` written as ``%2F``.  Different names give different variables.

    Args:
        name: name of an observable, mass, scale or free nuisance.

    Examples:
        >>> import bayescomb as bc
        >>> bc.variable_name("m_t"), bc.variable_name("rho"), bc.variable_name("sigma_a/sigma_b")
        ('m_t', 'parameter rho', 'parameter sigma_a%2Fsigma_b')
    """
    long = len(name.encode()) > LONGEST
    # A name that begins with the prefix would otherwise be that of another result.
    if not (long or name in RESERVED or "/" in name or name.startswith(PREFIX) or OURS.fullmatch(name)):
        return name
    if long:
        cut = name.encode()[: LONGEST // 2].decode(errors="ignore")
        name = f"{cut} {hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return PREFIX + name.replace("%", "%25").replace("/", "%2F")
