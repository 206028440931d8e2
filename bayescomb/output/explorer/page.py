"""One page that holds a combination itself: move a correlation and see the result, worked out exactly in the browser."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any, Final

import jinja2
import numpy as np
import xarray as xr
from markupsafe import Markup

from bayescomb.base.checks import expects
from bayescomb.base.errors import OptionError, OutputError
from bayescomb.base.threads import single_threaded
from bayescomb.base.writing import written_beside
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.output.explorer.data import explorer_model
from bayescomb.output.explorer_link import link_from_report
from bayescomb.output.statements import extraction_sentence, notes, treatment_sentence
from bayescomb.sampling.convergence import verdict
from bayescomb.sampling.storage import require_same_model
from bayescomb.studies.comparison import compare

__all__ = ["SCRIPTS", "explore"]

FOLDER: Final = Path(__file__).parent
PAGE: Final = "explorer.html"
# In the order in which one uses the other.
SCRIPTS: Final = (
    "algebra",
    "structure",
    "repairs",
    "feasibility",
    "fit",
    "theory",
    "extraction",
    "page/results",
    "page/state",
    "page/numbers",
    "page/sliders",
    "page/panels",
    "page/view",
)
DRAWS: Final = 1000
TUNE: Final = 500


@expects(combination="combination", posterior="posterior")
@single_threaded
def explore(
    combination: Combination,
    output: str | Path,
    *,
    posterior: xr.DataTree | None = None,
    draws: int = DRAWS,
    seed: int | None = None,
    progress: bool | None = None,
) -> Path:
    """Write the assumption explorer: one self-contained page that opens from disk and asks for nothing else.

    The page holds the reduced linear model of every assumption set, and the prediction of an extraction, and works out the
    profile at any setting of the coefficients as :func:`bayescomb.profile` does.  Behind it stands the posterior of the
    assumption set and treatment in force, integrated over the priors of the coefficients.  If it is written as
    ``explorer.html`` into the folder of a report, the report links to it.

    Args:
        combination: what to combine; its assumption set and treatment are those with which the page opens.
        output: the page; an existing one stays whole until the new one is complete.
        posterior: a tree of :func:`bayescomb.sample` of this combination; sampled here by default.
        draws: per chain, if it is sampled here; 0 for a page without a posterior.
        seed: of this sampling; drawn and stored in the page if it is ``None``.
        progress: show a progress bar; by default in a terminal and in a notebook.

    Returns:
        Path of the page.

    Raises:
        OptionError: chi2 is not quadratic, results are normalised, or sizes of sources are uncertain.
        InfeasibleCorrelationError: the nominal coefficients leave the feasible set of the treatment.
        PosteriorError: the posterior was made from other inputs.
        OutputError: the page cannot be written.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass").only(["ATLAS"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = bc.explore(combination, f"{folder}/explorer.html", draws=0)
        ...     "window.bayescomb" in page.read_text(encoding="utf-8")
        True
    """
    output = Path(output)
    if draws < 0:
        msg = f"draws = {draws} found, 0 (no posterior) or more are needed"
        raise OptionError(msg)
    if not output.absolute().parent.is_dir():
        msg = f"{output}: the folder {output.parent} does not exist; make it first"
        raise OutputError(msg)
    if posterior is not None:
        combination = require_same_model(posterior, combination)
    model = explorer_model(combination)
    profile(combination)  # the page opens at nominal, so that has to be possible
    if posterior is None and draws:
        from bayescomb.sampling.sample import sample

        posterior = sample(combination, seed=seed, draws=draws, tune=TUNE, progress=progress)
    data = {"model": model.as_data(), "posterior": _posterior_data(posterior, combination)}
    page = _template().render(
        combination=combination,
        treatment=treatment_sentence(combination),
        facts=_facts(combination, posterior),
        caveats=notes(combination),
        extraction=extraction_sentence(combination),
        band_note=_band_note(data["posterior"]),
        data=_json(data),
        scripts=[Markup((FOLDER / "script" / f"{name}.js").read_text(encoding="utf-8")) for name in SCRIPTS],
        style=Markup((FOLDER / "explorer.css").read_text(encoding="utf-8")),
    )
    with written_beside(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    link_from_report(output)
    return output


def _json(data: dict[str, Any]) -> Markup:
    """JSON that no name inside can end the script element with."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _posterior_data(posterior: xr.DataTree | None, combination: Combination) -> dict[str, Any] | None:
    """The band behind the moving point: mean, standard deviation and 68 % interval of each result."""
    if posterior is None:
        return None
    judged = verdict(posterior)
    attrs = posterior.attrs
    found = {
        "assumptions": combination.assumptions,
        "treatment": treatment_sentence(combination),
        "correlations": str(attrs["correlations"]),
        "seed": str(attrs["seed"]),
        "versions": json.loads(attrs["versions"]),
        "draws": int(np.prod([posterior["posterior"].sizes[dim] for dim in ("chain", "draw")])),
        "verdict": judged.sentence,
        "results": {},
    }
    if judged.passed:
        table = compare(posterior, profile(combination)).table
        keys = ("mean", "sd", "hdi_low", "hdi_high")
        found["results"] = {
            str(name): {key: float(table[key].sel(parameter=name)) for key in keys} for name in table["parameter"].to_numpy()
        }
    return found


def _band_note(band: dict[str, Any] | None) -> str:
    """What the band is, in words."""
    if band is None:
        return "No posterior is in this page: it was written without draws."
    if not band["results"]:
        return f"The posterior is withheld. {band['verdict']}. Write the page again with more draws."
    how = (
        "integrated over the priors of the coefficients, each restricted to what is feasible"
        if band["correlations"] == "prior"
        else "with the coefficients held at nominal"
    )
    return (
        f"The band is the 68 % highest-density interval of the posterior under set {band['assumptions']}, treatment "
        f"{band['treatment']}, {how}; the line in it is the mean. It stays where it is when the setting moves. "
        f"{band['draws']} draws, seed {band['seed']}; {band['verdict']}."
    )


def _facts(combination: Combination, posterior: xr.DataTree | None) -> list[tuple[str, str]]:
    """What stands beside the setting in the first line of the page, as in a report."""
    kinds: dict[str, list[str]] = {}
    for provenance in combination.provenance:
        kinds.setdefault(provenance.kind, []).append(provenance.table)
    chi2 = combination.chi2 + (", post-fit nuisance values ignored" if combination.nuisance_values == "ignored" else "")
    facts = [
        ("\N{GREEK SMALL LETTER CHI}\N{SUPERSCRIPT TWO}", chi2),
        ("inputs", "; ".join(f"{kind}: {', '.join(tables)}" for kind, tables in kinds.items()) or "provenance not stated"),
    ]
    versions = {"bayescomb": importlib.metadata.version("bayescomb")}
    if posterior is not None:
        sampled = json.loads(posterior.attrs["versions"])
        versions |= {name: sampled[name] for name in ("bayescomb", "pymc", "arviz") if name in sampled}
    facts.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    facts.append(("seed", str(posterior.attrs["seed"]) if posterior is not None else "none"))
    return facts


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(PAGE)
