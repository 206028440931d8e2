"""The assumption explorer: one page that holds a combination and fits it in the browser at any correlations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from markupsafe import Markup

from bayescomb.base.checks import expects
from bayescomb.base.errors import OptionError, OutputError
from bayescomb.base.files.writing import written_beside
from bayescomb.base.numerics import single_threaded
from bayescomb.fit.profile import profile
from bayescomb.inputs.combination import Combination
from bayescomb.output.explorer.data import explorer_model
from bayescomb.output.page_template import link_from_report, page_template
from bayescomb.output.statements import (
    extraction_sentence,
    notes,
    page_settings,
    treatment_sentence,
    versions_text,
)
from bayescomb.sampling.posterior.storage import Run, require_same_model
from bayescomb.sampling.posterior.summary import Sampled, Summary, summarise

__all__ = ["SCRIPTS", "explore"]

FOLDER: Final = Path(__file__).parent
PAGE: Final = "explorer.html"
# Each uses scripts before it only.
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
    "page/moved",
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

    The page holds the reduced linear model of every assumption set and the prediction of an extraction.  It calculates the
    profile at any setting of the coefficients as :func:`bayescomb.profile` does.  A band shows the posterior of the set and
    treatment in force, integrated over the priors of the coefficients.  If the page is written as ``explorer.html`` into the
    folder of a report, the report links to it.

    Args:
        combination: what to combine; its assumption set and treatment are those with which the page opens.
        output: path of the page; an existing page stays complete until the new one is.
        posterior: a tree of :func:`bayescomb.sample` of this combination; sampled here by default.
        draws: per chain, if it is sampled here; 0 for a page without a posterior.
        seed: of this sampling; if it is ``None``, one is drawn and stated in the page.
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
    sampled = None if posterior is None else summarise(posterior)
    data = {"model": model.as_data(), "posterior": _posterior_data(sampled, combination)}
    page = page_template(FOLDER / PAGE).render(
        combination=combination,
        treatment=treatment_sentence(combination),
        facts=_facts(combination, None if sampled is None else sampled.run),
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
    """JSON in which no name can end the script element."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _posterior_data(sampled: Sampled | None, combination: Combination) -> dict[str, Any] | None:
    """The posterior behind the band: its settings, and mean, standard deviation and 68 % interval of each result."""
    if sampled is None:
        return None
    found = sampled.results if sampled.verdict.passed else {}
    return {
        "assumptions": combination.assumptions,
        "treatment": treatment_sentence(combination),
        "correlations": sampled.run.correlations,
        "seed": str(sampled.run.seed),
        "versions": dict(sampled.run.versions),
        "draws": int(np.prod([sampled.draws.sizes[dim] for dim in ("chain", "draw")])),
        "verdict": sampled.verdict.sentence,
        "results": {name: _band(own) for name, own in found.items()},
    }


def _band(found: Summary) -> dict[str, float]:
    """Band of one result; if only quantiles are given, its median and half of its central interval."""
    mean, sd = (found.median, found.half_width) if found.reason else (found.mean, found.sd)
    return {"mean": mean, "sd": sd, "hdi_low": found.hdi_low, "hdi_high": found.hdi_high}


def _band_note(band: dict[str, Any] | None) -> str:
    """Sentence that says what the band is."""
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
        f"{band['treatment']}, {how}; the line in it is the mean, the median where there is none. "
        "It stays where it is when the setting moves. "
        f"{band['draws']} draws, seed {band['seed']}; {band['verdict']}."
    )


def _facts(combination: Combination, run: Run | None) -> list[tuple[str, str]]:
    """Facts in the first line of the page besides the setting, as in a report."""
    # The set and the treatment change with the setting and are shown apart.
    facts = [(name, value) for name, value in page_settings(combination) if name not in {"assumption set", "treatment"}]
    versions = {} if run is None else run.versions
    packages = ("bayescomb", *(name for name in ("pymc", "arviz") if name in versions))
    facts.append(("versions", versions_text(versions, *packages)))
    facts.append(("seed", "none" if run is None else str(run.seed)))
    return facts
