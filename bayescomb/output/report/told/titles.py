"""Titles of the parts of a model for readers, in place of the names in its files."""

from __future__ import annotations

import re

from bayescomb.inputs.combination import Combination
from bayescomb.output.report.results import Results
from bayescomb.output.words import typeset

__all__ = ["block_title", "coefficient_titles", "estimate_titles", "observable_titles", "quantity_title", "source_titles"]

# First and last nuisance in the label of a block.
ENDS = re.compile(r" \((?P<first>.+?) \.\.\. (?P<last>.+)\)$")


def estimate_titles(combination: Combination) -> dict[str, str]:
    """Estimate -> its title; without one, its experiment and the title of the observable that it measures."""
    observables = {o.name: o.title for o in combination.observables}
    found: dict[str, str] = {}
    for m in combination.measurements:
        for e in m.estimates:
            measured = [name for name, factor in e.observables.items() if factor]
            own = observables[measured[0]] if len(measured) == 1 and len(m.estimates) > 1 else ""
            found[e.name] = typeset(e.title or (f"{m.experiment} {own}".strip() if own else e.name))
    if len(set(found.values())) < len(found):
        return {e.name: typeset(e.title or e.name) for e in combination.estimates}
    return found


def observable_titles(combination: Combination) -> dict[str, str]:
    """Observable -> its name if it reads like a symbol, else its title."""
    return {
        o.name: o.name if re.fullmatch(r"[A-Za-z]_\w+", o.name) else typeset(o.title or o.name)
        for o in combination.observables
    }


def source_titles(combination: Combination) -> dict[str, str]:
    """Source -> its title."""
    return {s.name: typeset(s.title or s.name) for s in combination.sources}


def coefficient_titles(combination: Combination) -> dict[str, str]:
    """Coefficient -> its title."""
    return {c.name: typeset(c.title or c.name) for c in combination.assumption_set.coefficients}


def block_title(combination: Combination, label: str) -> str:
    """A block of correlated nuisances: titles of its sources, with the experiment if a source has several blocks.

    Examples:
        >>> import bayescomb as bc
        >>> from bayescomb.output.report.told.titles import block_title
        >>> run1 = bc.load("models/run1_mass")
        >>> block_title(run1, "other (other[a] ... other[f])"), block_title(run1, "LHCrad")
        ('Other (ATLAS)', 'LHC radiation')
    """
    found = ENDS.search(label)
    inside = ""
    if found is not None:
        owners = {n.name: m.experiment for m in combination.measurements for n in m.all_nuisances}
        ends = dict.fromkeys(owners.get(found[key], "") for key in ("first", "last"))
        inside = f" ({', '.join(ends)})" if all(ends) else found[0]
        label = label[: found.start()]
    titles = source_titles(combination)
    return " + ".join(titles.get(part, part) for part in label.split(" + ")) + inside


def quantity_title(results: Results, quantity: str) -> str:
    """Title of a quantity of the diagnostics such as ``rho[...]``, ``pull[...]`` or ``theory_pull[...]``."""
    kind, _, label = quantity.partition("[")
    label = label.removesuffix("]")
    if kind == "rho":
        return f"coefficient {coefficient_titles(results.combination).get(label, label)}"
    if kind == "pull":
        return f"pull of {typeset(results.labels.get(label, label))}"
    return f"pull of {label}" if kind == "theory_pull" else quantity
