"""Names, titles and origins: what a table or figure says about a quantity besides its number."""

from __future__ import annotations

from dataclasses import dataclass

from bayescomb.base.checks import check_choice, check_finite
from bayescomb.base.choices import BLINDINGS, PROVENANCE_KINDS, SIZE_KINDS, BlindingKind, ProvenanceKind, SizeKind
from bayescomb.base.errors import RangeError

__all__ = ["Blinding", "BlindingKind", "ErrorOnError", "Observable", "Provenance", "Source"]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a table of figures comes from.

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
    """That central values are hidden, and how (:mod:`bayescomb.inputs.blinding`).

    Attributes:
        kind: ``"shift"`` or ``"factor"``.
        fingerprint: of the phrase, from which it does not follow.
    """

    kind: BlindingKind
    fingerprint: str

    def __post_init__(self) -> None:
        check_choice(self.kind, BLINDINGS, where="kind of a blinding")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of systematic uncertainty, shared in name by the nuisances that belong to it.

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
        kind: ``"common"`` if the sizes that a source has in different estimates are wrong by a common factor,
            ``"independent"`` if each is wrong by a factor of its own, which needs uncorrelated nuisances.

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
