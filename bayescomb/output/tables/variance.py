"""Tables of where a variance comes from: its parts, and what each correlation coefficient does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from bayescomb.base.rounding import counted, significant, small_unit, with_error, with_unit
from bayescomb.formats.hepdata.record.units import squared_unit
from bayescomb.output.tables.table import Column, Row, Table, fixed_column, number_column, text_column

__all__ = ["SCALARS", "relevance_table", "shares_table"]

# Coefficients with a smaller part of the variance are shown by their sum only.
SMALL: Final = 1e-3


# Shares of single coefficients are small and need more decimals than the other parts.
SHARE_PLACES: Final = 3


# Information, in Monte Carlo errors, above which the data constrain a coefficient.
TOLD: Final = 3.0


# Numbers of a coefficient that do not refer to a result.
SCALARS: Final = ("prior_mean", "prior_sd", "posterior_mean", "posterior_sd", "information", "information_error")


def shares_table(
    shares: xr.Dataset | None,
    units: Mapping[str, str],
    parameters: Sequence[str] = (),
    *,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """Parts of the variance of each result, coefficients after the others, then the small coefficients together and the sum.

    Args:
        shares: of :func:`bayescomb.variance_shares`; without it the table is empty.
        units: result -> its unit.
        parameters: results to show; all by default.
        titles: coefficient -> what a page calls it; its name by default.

    Returns:
        Rows with ``parameter``, ``part``, ``kind`` (rows of the kind ``sum`` add up others), ``variance``, ``unit`` and
        ``share``, a fraction, which the files state in percent.
    """
    rows: list[dict[str, Any]] = []
    shown: list[int] = []
    names = list(parameters)
    if shares is not None:
        names = names or [str(p) for p in shares["parameter"].to_numpy()]
        parts, kinds = shares["part"].to_numpy(), shares["kind"].to_numpy()
        order = sorted(range(len(kinds)), key=lambda i: (kinds[i] == "coefficient", kinds[i] == "remainder"))
        for p in names:
            at = shares.sel(parameter=p)
            variance, share = at["variance"].to_numpy(), at["share"].to_numpy()
            small = [i for i in order if kinds[i] == "coefficient" and abs(share[i]) < SMALL]
            entries = [(str(parts[i]), str(kinds[i]), variance[i], share[i], i not in small) for i in order]
            if small:
                others = counted(len(small), "other coefficients")
                entries.append((others, "sum", variance[small].sum(), share[small].sum(), True))
            entries.append(("total", "sum", variance.sum(), share.sum(), True))
            unit = units.get(p, "")
            for part, kind, own, fraction, large in entries:
                shown += [len(rows)] if large else []
                row = {"parameter": p, "part": part, "kind": kind, "variance": float(own)}
                rows.append(row | {"unit": squared_unit(unit).replace("^2", "²"), "share": float(fraction)})
    alone = names[0] if len(names) == 1 else ""
    columns = [
        *([] if alone else [text_column("parameter", "parameter", only="page")]),
        Column(title="part", show=lambda row: _part(row, titles or {}), text=True, only="page"),
        text_column("kind", "kind", only="page"),
        Column(title=f"part of Var({alone})", show=_label, only="terminal"),
        number_column("variance", "variance", significant, short=with_unit("variance", rows[0]["unit"] if rows else "")),
        text_column("unit", "unit", only="page"),
        fixed_column("share [%]", "share", 2, scale=100),
    ]
    title = (
        "Shares of the posterior variance. Statistics, groups and theory divide E[Var(x | r)], coefficients Var(E[x | r]); "
        "the remainder is curvature of the prediction and Monte Carlo error. Coefficients below 0.1 % are in the files."
    )
    return Table(name="variance_shares", title=title, rows=rows, columns=columns, on_page=shown, percent=("share",))


def _part(row: Row, titles: Mapping[str, str]) -> str:
    return titles.get(row["part"], row["part"]) if row["kind"] == "coefficient" else str(row["part"])


def relevance_table(relevance: xr.Dataset | None, units: Mapping[str, str]) -> Table:
    """Each coefficient: prior, posterior, information, effect; the largest share first.

    Args:
        relevance: of :func:`bayescomb.coefficient_relevance`; without it the table is empty.
        units: result -> its unit.

    Returns:
        Rows with the names of the dataset; ``slope[parameter]`` in the unit of the parameter, ``share[parameter]`` as
        a fraction of its variance, which the files state in percent.
    """
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    if relevance is not None:
        names = [str(p) for p in relevance["parameter"].to_numpy()]
        for i in np.argsort(-abs(relevance["share"]).sum("parameter").to_numpy()):
            at = relevance.isel(coefficient=int(i))
            row: dict[str, Any] = {"coefficient": str(at["coefficient"].item()), "title": str(at["title"].item())}
            row |= {key: float(at[key]) for key in SCALARS}
            for p in names:
                slope = float(at["slope"].sel(parameter=p))
                row |= {f"slope[{p}]": slope if np.isfinite(slope) else None}
                row |= {f"share[{p}]": float(at["share"].sel(parameter=p))}
            rows.append(row)
    columns = [
        text_column("coefficient", "title"),
        Column(title="prior mean ± sd", short="prior", show=_pair("prior_mean", "prior_sd")),
        Column(title="posterior", show=_pair("posterior_mean", "posterior_sd"), only="terminal"),
        Column(title="posterior mean ± sd", show=_posterior, only="page"),
        Column(title="information [bit]", show=_pair("information", "information_error")),
    ]
    for p in names:
        title = with_unit(f"d({p})/dr", small_unit(units.get(p, "")))
        columns.append(fixed_column(title, f"slope[{p}]", 1, sign=True, scale=1000))
        columns.append(fixed_column(f"share of Var({p}) [%]", f"share[{p}]", SHARE_PLACES, sign=True, scale=100, moves=True))
    title = "Which correlation matters: what the data say of each coefficient, and what it does to the result."
    return Table(name="relevance", title=title, rows=rows, columns=columns, percent=("share",))


def _posterior(row: Row) -> str:
    """Mean and sd of the posterior; "as the prior" where the data give no information on the coefficient."""
    known = row["information"] > TOLD * row["information_error"]
    return with_error(row["posterior_mean"], row["posterior_sd"]) if known else "as the prior"


def _pair(value: str, error: str) -> Callable[[Row], str]:
    return lambda row: with_error(row[value], row[error])


def _label(row: Row) -> str:
    return f"coefficient {row['part']}" if row["kind"] == "coefficient" else str(row["part"])
