"""Names, titles and origins: what a table or figure says about a quantity besides its number."""

from __future__ import annotations

from dataclasses import dataclass

from bayescomb.checks import check_choice

__all__ = ["Observable", "Provenance", "Source"]


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
    kind: str
    origin: str
    note: str = ""

    def __post_init__(self) -> None:
        check_choice(self.kind, ("published", "reconstructed", "assumed"), where=f"provenance of {self.table}")


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
class Observable:
    """A combined quantity, flat a priori unless a prediction says otherwise.

    A ``spectator`` carries a single estimate that nothing else measures: it takes part in the fit through the nuisances
    it shares and is left out of a normalisation.

    Examples:
        >>> import bayescomb as bc
        >>> bc.Observable(name="m_t", unit="GeV", title="top-quark mass").spectator
        False
    """

    name: str
    unit: str = ""
    title: str = ""
    spectator: bool = False
