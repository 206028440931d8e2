"""Writer of assumption sets in ``model.toml``: categories where the pairs have that form, and sets that extend others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from bayescomb.formats.csv import csv_text, figure
from bayescomb.formats.toml.sets.scope import Scope
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock, CorrelationCoefficient, CorrelationPair

__all__ = ["blocks_text", "coefficient_table", "common_blocks", "find_base"]

# Blocks are written in place of pairs if there are at least this many pairs per block.
PAIRS_PER_BLOCK: Final = 4


def blocks_text(blocks: Sequence[CorrelationBlock]) -> str:
    """Correlation matrices as one CSV table."""
    width = max(len(b.nuisances) for b in blocks)
    rows = [
        [block.name, name, *map(figure, line), *[""] * (width - len(line))]
        for block in blocks
        for name, line in zip(block.nuisances, block.correlation, strict=True)
    ]
    header = ["block", "nuisance", *(str(i) for i in range(1, width + 1))]
    return csv_text("Fixed correlations: column i of a block belongs to its i-th row.", header, rows)


def common_blocks(sets: Iterable[AssumptionSet]) -> tuple[CorrelationBlock, ...]:
    """The blocks with which every set begins."""
    first, *others = [s.blocks for s in sets]
    n = min(map(len, [first, *others]))
    return first[: next((i for i in range(n) if any(_content(o[i]) != _content(first[i]) for o in others)), n)]


def find_base(
    target: AssumptionSet, earlier: Sequence[AssumptionSet], n_common: int
) -> tuple[AssumptionSet | None, list[CorrelationCoefficient], list[CorrelationBlock]]:
    """The earlier set with the shortest extension, and the coefficients and blocks to be added to it.

    Args:
        target: the set to be written.
        earlier: the sets before it.
        n_common: number of leading blocks that all sets share.
    """
    best: tuple[AssumptionSet | None, list[CorrelationCoefficient], list[CorrelationBlock]]
    best = None, list(target.coefficients), list(target.blocks[n_common:])
    for base in earlier:
        coefficients = _additions(base.coefficients, target.coefficients, lambda c: c)
        blocks = _additions(base.blocks[n_common:], target.blocks[n_common:], _content)
        if coefficients is not None and blocks is not None and len(coefficients) + len(blocks) < len(best[1]) + len(best[2]):
            best = base, coefficients, blocks
    return best


def _additions[Item: (CorrelationCoefficient, CorrelationBlock)](
    base: Sequence[Item], items: Sequence[Item], content: Callable[[Item], Any]
) -> list[Item] | None:
    """Items that are not in the base; ``None`` if the items do not begin with the names of the base, in its order."""
    if [item.name for item in base] != [item.name for item in items[: len(base)]]:
        return None
    same = [content(a) == content(b) for a, b in zip(base, items, strict=False)]
    return [item for i, item in enumerate(items) if i >= len(base) or not same[i]]


def _content(block: CorrelationBlock) -> tuple[str, tuple[str, ...], bytes]:
    return block.name, block.nuisances, block.correlation.tobytes()


def coefficient_table(coefficient: CorrelationCoefficient, scope: Scope, *, replaces: bool) -> dict[str, Any]:
    """A coefficient as TOML table.

    Args:
        coefficient: the coefficient to write.
        scope: the nuisances that a category can correlate.
        replaces: whether it replaces an inherited coefficient, so that inheritable keys are written even if empty.
    """
    c = coefficient
    inside = c.low is None or c.high is None or c.low <= c.nominal <= c.high
    return {
        "name": c.name,
        "title": c.title if c.title or replaces else None,
        "source": c.source or None,
        **(_category(c, scope) or _pairs(c.pairs)),
        "nominal": float(c.nominal),
        "low": None if c.low is None else float(c.low),
        "high": None if c.high is None else float(c.high),
        "nominal_outside_range": None if inside else True,
        "prior": c.prior if c.prior != "uniform" else None,
        "scan_group": c.scan_group if c.scan_group or replaces else None,
        "descending": c.descending or None,
        "published_half_shift": c.published_half_shift or None,
        "published_half_error_shift": c.published_half_error_shift or None,
    }


def _pairs(pairs: Sequence[CorrelationPair]) -> dict[str, Any]:
    """The pairs in their order; those with the opposite sign have their own list if they are all last."""
    opposite = [p.sign < 0 for p in pairs]
    if opposite != sorted(opposite):
        return {"pairs": [[p.first, p.second, -1] if p.sign < 0 else [p.first, p.second] for p in pairs]}
    lists = {
        "pairs": [[p.first, p.second] for p in pairs if p.sign > 0],
        "opposite_pairs": [[p.first, p.second] for p in pairs if p.sign < 0],
    }
    return {key: value for key, value in lists.items() if value}


def _category(coefficient: CorrelationCoefficient, scope: Scope) -> dict[str, Any] | None:
    """The pairs as products of lists of estimates; ``None`` if they are no products, or if these are not shorter."""
    labels = {name: label for label, name in scope.labels(coefficient.source).items()} if coefficient.source else {}
    pairs = [(labels.get(p.first), labels.get(p.second), p.sign) for p in coefficient.pairs]
    if any(first is None or second is None for first, second, _ in pairs):
        return None
    named = [(str(first), str(second), sign) for first, second, sign in pairs]
    blocks, negative = _products(named), _negative(named)
    if negative is None or len(named) < PAIRS_PER_BLOCK * len(blocks):
        return None
    signs = {"negative": negative} if negative else {}
    members = {key: list(found) for key, found in scope.members[coefficient.source].items()}
    for first, left in members.items():
        for second, right in members.items():
            if blocks == [(left, right)]:
                return {"between": [first, second]} | signs
    return {"blocks": [{"left": left, "right": right} for left, right in blocks]} | signs


def _products(pairs: Sequence[tuple[str, str, int]]) -> list[tuple[list[str], list[str]]]:
    """The pairs in their order, as products of a left and a right list."""
    rows: list[tuple[str, list[str]]] = []
    for first, second, _ in pairs:
        if rows and rows[-1][0] == first:
            rows[-1][1].append(second)
        else:
            rows.append((first, [second]))
    blocks: list[tuple[list[str], list[str]]] = []
    for first, right in rows:
        if blocks and blocks[-1][1] == right:
            blocks[-1][0].append(first)
        else:
            blocks.append(([first], right))
    return blocks


def _negative(pairs: Sequence[tuple[str, str, int]]) -> list[str] | None:
    """Members with sign -1, if the sign of every pair is the product of the signs of its members; otherwise ``None``."""
    links: dict[str, list[tuple[str, int]]] = {}
    for first, second, sign in pairs:
        links.setdefault(first, []).append((second, sign))
        links.setdefault(second, []).append((first, sign))
    signs: dict[str, int] = {}
    negative: list[str] = []
    for start in links:
        if start in signs:
            continue
        signs[start], component = 1, [start]
        for name in component:
            for other, sign in links[name]:
                if other not in signs:
                    signs[other] = signs[name] * sign
                    component.append(other)
        minus = [name for name in component if signs[name] < 0]
        # Opposite signs of all members give the same products: the shorter list is written.
        negative += minus if 2 * len(minus) <= len(component) else [n for n in component if signs[n] > 0]
    sizes = {name: -1 if name in set(negative) else 1 for name in links}
    return sorted(negative) if all(sizes[a] * sizes[b] == sign for a, b, sign in pairs) else None
