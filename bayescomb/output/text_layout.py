"""Layout of text: aligned tables in panels and wrapped prose, no wider than the terminal.

Combinations of dozens of results, hundreds of nuisances and a hundred correlations have short forms that fit a page.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import numpy as np

from bayescomb.base.arrays import FloatArray
from bayescomb.base.rounding import (
    coefficient_text,
    counted,
    fixed,
    interval_text,
    percent_text,
    plain,
    rounded_like,
    significant,
    weight_places,
    with_error,
)

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.likelihood.feasible_ranges import Statement

__all__ = [
    "CUT",
    "MANY",
    "PAGE",
    "comparison_rows",
    "feasibility_lines",
    "fitting_rows",
    "is_unit",
    "mean_or_median",
    "panels",
    "relevance_rows",
    "shares_rows",
    "table",
    "tables_kept",
    "text_width",
    "weight_lines",
    "wrapped",
]

# Width where there is no terminal, and the smallest width that is used.
DEFAULT_WIDTH: Final = 120
LEAST_WIDTH: Final = 60
# Lines of a page.
PAGE: Final = 60
GAP: Final = "  "
# Results, or blocks, up to which each has its own table or sentence.
MANY: Final = 8
# Cut ranges that are listed.
CUT: Final = 40
# Coefficients whose relevance is listed.
TOP: Final = 20
# A share below this is rounding.
ROUNDING: Final = 1e-9
# A smaller weight is not printed.
WEIGHT: Final = 0.005


_kept: ContextVar[dict[str, Sequence[Sequence[str]]] | None] = ContextVar("kept", default=None)


def text_width() -> int:
    """Columns of the terminal, 120 where there is none."""
    return max(LEAST_WIDTH, shutil.get_terminal_size((DEFAULT_WIDTH, PAGE)).columns)


def table(rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Columns aligned, the first to the left, the others to the right; the first row is the heading.

    A table wider than the terminal is broken into panels, each with the first column.

    Args:
        rows: the cells, all rows of one length.
        width: of the text, that of the terminal by default.

    Examples:
        >>> print(table([["bin", "a", "b"], ["x", "1.0", "2.0"]], width=10))
        bin    a
        --------
        x    1.0
        <BLANKLINE>
        bin    b
        --------
        x    2.0
    """
    kept = _kept.get()
    if kept is not None:
        mark = f"\0table {len(kept)}"  # which no name can hold
        kept[mark] = rows
        return mark
    columns = [[row[i] for row in rows] for i in range(len(rows[0]))]
    widths = [max(map(len, column)) for column in columns]
    panels = ["\n".join(_panel(rows, widths, chosen)) for chosen in _chosen(widths, width or text_width())]
    return "\n\n".join(panels)


@contextmanager
def tables_kept() -> Iterator[dict[str, Sequence[Sequence[str]]]]:
    """Within this context :func:`table` returns a placeholder; yields the rows of each table by its placeholder."""
    kept: dict[str, Sequence[Sequence[str]]] = {}
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)


def panels(rows: Sequence[Sequence[str]]) -> int:
    """How many panels a table of these columns has."""
    return len(_chosen([max(len(row[i]) for row in rows) for i in range(len(rows[0]))], text_width()))


def _chosen(widths: Sequence[int], width: int) -> list[list[int]]:
    """Positions of the columns of each panel."""
    panels: list[list[int]] = [[0]]
    used = widths[0]
    for i, size in enumerate(widths[1:], 1):
        if used + len(GAP) + size > width and len(panels[-1]) > 1:
            panels.append([0])
            used = widths[0]
        panels[-1].append(i)
        used += len(GAP) + size
    return panels


def _panel(rows: Sequence[Sequence[str]], widths: Sequence[int], chosen: Sequence[int]) -> list[str]:
    lines = [GAP.join(row[i].rjust(widths[i]) if i else row[i].ljust(widths[i]) for i in chosen) for row in rows]
    return [line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:])]


def wrapped(text: str, *, width: int | None = None) -> str:
    """The text with long lines broken at blanks and continued with an indent; no path or word is broken.

    Examples:
        >>> print(wrapped("one two three four", width=10))
        one two
          three
          four
    """
    limit = width or text_width()
    return "\n".join(_wrapped_line(line, limit) if len(line) > limit else line for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(), width=width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def fitting_rows(rows: Sequence[Sequence[str]], *, taken: int = 0) -> int:
    """How many rows of a table fit a page; its columns may need several panels, and some lines may be taken already."""
    return max(8, (PAGE - taken) // panels(rows) - 8)


def feasibility_lines(statements: Sequence[Statement], *, listed: bool = True) -> list[str]:
    """Feasibility of the quoted ranges: every statement if they are few, else counts and a list of cut ranges."""
    from bayescomb.likelihood.feasible_ranges import TOTAL, share_text

    if len(statements) <= MANY:
        return [f"  {statement.text}" for statement in statements]
    blocks = [s for s in statements if s.label != TOTAL]
    whole = [s for s in blocks if s.status == "box"]
    partial = [s for s in blocks if s.status == "partial"]
    lines = [f"  {s.text}" for s in statements if s.label == TOTAL or s.status in {"empty", "point"}]
    ranges = sum(len(s.coefficients) for s in blocks)
    cut = [(s, i) for s in partial for i in np.flatnonzero(s.cut)]
    rest = sum(len(s.coefficients) for s in blocks if s.status in {"empty", "point"})
    lines.append(
        f"  {counted(ranges - len(cut) - rest, 'ranges')} of {ranges} whole, {len(whole)} of "
        f"{counted(len(blocks), 'blocks')} feasible all over"
    )
    if not listed:
        lines.append(f"  {counted(len(cut), 'ranges')} cut by a block, which 'check' lists")
        return lines
    corners = [s.label for s in partial if not s.cut.any()]
    if corners:
        lines.append(f"  each range whole, but not all values together: {_listed(corners, 10)}")
    if cut:
        lines.append("  cut, with the others of the block free:")
        rows = [["  coefficient", "feasible", "of", "share of the box [%]", "block"]]
        for s, i in cut[:CUT]:
            feasible, quoted = (
                plain(f"{coefficient_text(a, sign=True)} to {coefficient_text(b, sign=True)}")
                for a, b in ((s.feasible_low[i], s.feasible_high[i]), (s.low[i], s.high[i]))
            )
            rows.append([f"  {s.coefficients[i]}", feasible, quoted, plain(share_text(s.share, s.share_error)), s.label])
        lines.append(table(rows))
        if len(cut) > CUT:
            lines.append(f"  and {len(cut) - CUT} more")
    return lines


def _listed(names: Sequence[str], limit: int) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def weight_lines(matrix: FloatArray, names: Sequence[str], estimates: Sequence[str]) -> list[str]:
    """The estimates that weigh in each result, where a matrix of weights has too many columns.

    Args:
        matrix: of the weights, shape (results, estimates).
        names: of the results.
        estimates: names.
    """
    if is_unit(matrix):
        return ["weights: each result is its own estimate"]
    lines = ["weights without those below 0.005:"]
    places = weight_places(matrix.ravel())
    for name, row in zip(names, matrix, strict=True):
        if np.isnan(row).all():  # a result at its bound has no weights
            continue
        order = [i for i in np.argsort(-np.abs(row)) if abs(row[i]) >= WEIGHT]
        lines.append(f"  {name}: " + ", ".join(f"{plain(fixed(row[i], places, sign=True))} {estimates[i]}" for i in order))
    return lines


def is_unit(matrix: FloatArray) -> bool:
    """Whether a matrix is a permutation: one 1 in every row and column, 0 elsewhere."""
    ones = np.isclose(matrix, 1.0, rtol=0, atol=1e-9)
    others = np.isclose(matrix, 0.0, rtol=0, atol=1e-9)
    square = matrix.shape[0] == matrix.shape[1]
    return bool(square and (ones | others).all() and (ones.sum(0) == 1).all() and (ones.sum(1) == 1).all())


def comparison_rows(table_of: xr.Dataset) -> list[list[str]]:
    """One row per result: profile, posterior, posterior at nominal coefficients, and what the coefficients cost.

    Args:
        table_of: table of a :class:`bayescomb.studies.comparison.Comparison`.
    """
    t = table_of
    exact, shares = "nominal_mean" in t, "coefficient_share" in t
    rows = [["parameter", "profile", "posterior", *(["at nominal (exact)"] if exact else []),
             *(["coefficients [% of variance]"] if shares else [])]]  # fmt: skip
    for name in t["parameter"].to_numpy():
        row = {str(key): float(t[key].sel(parameter=name)) for key in t.data_vars if t[key].dtype.kind == "f"}
        unit = str(t["unit"].sel(parameter=name).item())
        cells = [f"{name} [{unit}]" if unit else str(name), with_error(row["profile_value"], row["profile_error"]),
                 mean_or_median(row)]  # fmt: skip
        if exact:
            cells.append(with_error(row["nominal_mean"], row["nominal_sd"]))
        if shares:
            share, error = row["coefficient_share"], row["coefficient_share_mcse"]
            cells.append(percent_text(share, error if abs(share) > ROUNDING else 0.0, places=2))
        rows.append([plain(cell) for cell in cells])
    return rows


def mean_or_median(row: Mapping[str, float], *, unit: str = "") -> str:
    """Mean and sd, or the median with its central interval where only quantiles are given."""
    if np.isfinite(row["sd"]):
        return with_error(row["mean"], row["sd"], unit=unit)
    low, high = row["central_low"], row["central_high"]
    error = (high - low) / 2
    return f"median {rounded_like(row['median'], error)} ({interval_text(low, high, error=error, unit=unit)})"


def shares_rows(shares: xr.Dataset) -> list[list[str]]:
    """One row per result: the largest parts of its variance.

    Args:
        shares: of :func:`bayescomb.studies.variance.variance_shares`.
    """
    rows = [["variance of", "sd", "statistics [%]", "coefficients [%]", "largest other parts [%]"]]
    kinds, parts = shares["kind"].to_numpy(), [str(p) for p in shares["part"].to_numpy()]
    for p in shares["parameter"].to_numpy():
        at = shares.sel(parameter=p)
        share = at["share"].to_numpy()
        coefficients = float(share[kinds == "coefficient"].sum())
        statistics = sum(float(share[i]) for i, part in enumerate(parts) if part == "statistics")
        others = [i for i in np.argsort(-np.abs(share)) if kinds[i] != "coefficient" and parts[i] != "statistics"]
        largest = ", ".join(f"{parts[i]} {percent_text(float(share[i]))}" for i in others[:3])
        rows.append(
            [
                str(p),
                *(
                    plain(x)
                    for x in (
                        significant(float(at["variance"].sum()) ** 0.5),
                        percent_text(statistics),
                        percent_text(coefficients, places=2),
                        largest,
                    )
                ),
            ]
        )
    return rows


def relevance_rows(relevance: xr.Dataset) -> list[list[str]]:
    """One row for each of the coefficients that matter most, that of the largest share of a variance first.

    Args:
        relevance: of :func:`bayescomb.studies.variance.coefficient_relevance`.
    """
    share = relevance["share"].transpose("coefficient", "parameter").to_numpy()
    parameters = [str(p) for p in relevance["parameter"].to_numpy()]
    rows = [["coefficient", "prior", "posterior", "information [bit]", "largest share [%]", "of"]]
    size = np.abs(share).max(axis=1)
    if size.max(initial=0.0) < ROUNDING:  # every result is measured once: what the data say of a coefficient is left
        size = relevance["information"].to_numpy()
    # The page also holds the comparison and the shares, each with a row per result.
    room = min(TOP, max(PAGE - 2 * len(parameters) - 10, 8))
    for i in np.argsort(-size)[:room]:
        row, j = relevance.isel(coefficient=int(i)), int(np.abs(share[i]).argmax())
        texts = [with_error(float(row[f"{k}_mean"]), float(row[f"{k}_sd"])) for k in ("prior", "posterior")]
        texts += [with_error(float(row["information"]), float(row["information_error"]))]
        texts += [percent_text(float(share[i, j]), places=3, sign=True)]
        of = parameters[j] if abs(share[i, j]) > ROUNDING else ""
        rows.append([str(row["title"].item()), *(plain(x) for x in texts), of])
    return rows
