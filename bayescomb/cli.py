"""Command line: parse, call the library, print, say what was written."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayescomb.errors import BayescombError, InputWarning, OptionError, OutputError
from bayescomb.impacts import DEFINITIONS
from bayescomb.inputs import CHI2_FORMS, NUISANCE_VALUES, REPAIRS, TREATMENTS, Combination
from bayescomb.scan import POINTS

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["main"]

EXIT_ERROR = 2
EXIT_NOT_CONVERGED = 3

_show_warning = warnings.showwarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``bayescomb``; those of the process by default.

    Returns:
        0, or 2 after an error, or 3 if a posterior was written that must not be used.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", InputWarning)
            warnings.showwarning = _say_warning
            return int(options.command(options))
    except BrokenPipeError:
        # Whoever read the output has enough of it (``| head``); the interpreter must not try to flush the rest.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # stays open until the interpreter ends
        return EXIT_ERROR
    except BayescombError as error:
        sys.stderr.write(f"bayescomb: {type(error).__name__}: {error}\n")
        return EXIT_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("bayescomb: interrupted; nothing was written\n")
        return 130


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bayescomb", description="Combine published measurements with correlated systematic uncertainties."
    )
    parser.add_argument("--verbose", action="store_true", help="say what happens")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, text: str, function: object) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("model", metavar="MODEL", help="model.toml, a folder that holds one, or a Convino base file")
        sub.set_defaults(command=function)
        return sub

    def settings(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--assumptions", metavar="SET", help="assumption set (default: the one the model names)")
        sub.add_argument("--treatment", choices=TREATMENTS, help="treatment of the sources (default: the model's)")
        sub.add_argument(
            "--repair", choices=REPAIRS, default="none", help="repair of infeasible blocks (treatment nuisance)"
        )
        sub.add_argument(
            "--chi2", choices=CHI2_FORMS, help="form of chi2 (default: the model's, which is neyman if it says none)"
        )
        sub.add_argument(
            "--extraction", metavar="NAME", help="how the mass is extracted; 'none' combines the observables only"
        )
        sub.add_argument(
            "--drop", metavar="OBSERVABLE", action="append", help="not compared with the prediction; repeatable"
        )
        sub.add_argument(
            "--nuisance-values", choices=NUISANCE_VALUES, help="post-fit nuisance values of the inputs (default: used)"
        )

    def json_output(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", metavar="F", type=Path, help="write the result as JSON")

    sub = command("check", "Validate a model; print sizes, blocks and feasibility.", _check)
    settings(sub)
    sub = command("profile", "Profile-likelihood combination at fixed coefficients.", _profile)
    settings(sub)
    json_output(sub)
    sub.add_argument("--minos", action="store_true", help="say how the Delta chi2 = 1 errors compare")
    sub = command("scan", "Profile at both ends of every coefficient's range.", _scan)
    settings(sub)
    json_output(sub)
    sub.add_argument("--points", type=int, default=POINTS, metavar="N", help=f"points of each scan (default: {POINTS})")
    sub = command("impacts", "Uncertainty components of the profile.", _impacts)
    settings(sub)
    json_output(sub)
    sub.add_argument("--definition", choices=DEFINITIONS, help="of an impact (default: components where sources are named)")
    sub = command("sample", "Sample the posterior and store it as netCDF.", _sample)
    settings(sub)
    json_output(sub)
    sub.add_argument("--output", metavar="F.nc", type=Path, required=True, help="where the posterior goes")
    sub.add_argument("--correlations", choices=("prior", "nominal"), default="prior", help="sample or hold the coefficients")
    sub.add_argument("--engine", choices=("marginal", "full"), default="marginal", help="integrate or sample the nuisances")
    sub.add_argument(
        "--backend", choices=("auto", "vm", "numba"), default="auto", help="start at once, or compile for long runs"
    )
    for name, default, text in (
        ("draws", 1500, "draws per chain"),
        ("tune", 500, "tuning steps per chain"),
        ("chains", 4, "chains"),
    ):
        sub.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default: {default})")
    sub.add_argument("--seed", type=int, metavar="N", help="of everything random (default: drawn and stored)")
    sub = command("compare", "Posterior beside profile.", _compare)
    sub.add_argument("posterior", metavar="POSTERIOR.nc", type=Path)
    json_output(sub)
    sub = command("report", "One folder with a page, figures and tables.", _report)
    sub.add_argument("posterior", metavar="POSTERIOR.nc", type=Path, nargs="?")
    settings(sub)
    sub.add_argument("--output", metavar="DIR", type=Path, required=True, help="folder of the report")
    sub = command("theory", "The extracted mass with other predictions side by side.", _theory)
    settings(sub)
    json_output(sub)
    sub = command("sets", "Results under every assumption set.", _sets)
    settings(sub)
    json_output(sub)
    sub.add_argument(
        "--draws", type=int, default=0, metavar="N", help="sample too, N draws per chain (default: profile only)"
    )
    sub.add_argument("--seed", type=int, metavar="N", help="of the sampling (default: drawn)")
    sub.add_argument("--output", metavar="DIR", type=Path, help="folder for the figures")
    sub = command("convert", "Write a model in another form.", _convert)
    sub.add_argument("target", metavar="OUT", type=Path, help="a folder or NAME.toml (model.toml), or NAME.txt (Convino)")
    sub.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    return parser


def _load(options: argparse.Namespace) -> Combination:
    from bayescomb.loading import load

    combination = load(options.model, extraction=_extraction(getattr(options, "extraction", None)))
    if getattr(options, "drop", None):
        extraction = combination.extraction_in_force
        if extraction is None:
            msg = f"--drop {options.drop[0]}: no mass is extracted; give --extraction NAME"
            raise OptionError(msg)
        combination = combination.with_extraction(dataclasses.replace(extraction, drop=tuple(options.drop)))
    if getattr(options, "assumptions", None):
        combination = combination.with_assumptions(options.assumptions)
    treatment = getattr(options, "treatment", None) or combination.treatment
    repair = getattr(options, "repair", "none")
    if repair != "none" and treatment != "nuisance":
        msg = (
            f"--repair {repair}: the treatment {treatment!r} needs no repair; give --treatment nuisance too, or leave it out"
        )
        raise OptionError(msg)
    combination = combination.with_treatment(treatment, repair=repair)
    if getattr(options, "chi2", None):
        combination = combination.with_chi2(options.chi2)
    if getattr(options, "nuisance_values", None):
        combination = combination.with_nuisance_values(options.nuisance_values)
    return combination


def _load_as_sampled(options: argparse.Namespace, posterior: xr.DataTree) -> Combination:
    """The model with the extraction of a posterior in force, dropped bins included."""
    from bayescomb.storage import combination_of

    extraction = combination_of(posterior).extraction_in_force
    options.extraction, options.drop = "none", None
    return _load(options).with_extraction("" if extraction is None else extraction)


def _extraction(name: str | None) -> str | None:
    """What ``--extraction`` means to the library; ``None`` leaves it to the model."""
    return "" if name == "none" else name


def _write(data: dict[str, object], path: Path | None) -> None:
    if path is not None:
        from bayescomb.storage import write_json

        _print(str(write_json(data, path)))


def _check(options: argparse.Namespace) -> int:
    from bayescomb.check import check
    from bayescomb.text import check_text

    _print(check_text(check(_load(options))))
    return 0


def _profile(options: argparse.Namespace) -> int:
    from bayescomb.compatibility import compatibility
    from bayescomb.export import profile_data
    from bayescomb.profile import profile
    from bayescomb.text import compatibility_text, profile_text

    combination = _load(options)
    fit, compatible = profile(combination), compatibility(combination)
    _print(profile_text(fit))
    if compatible:
        _print("\n" + compatibility_text(compatible))
    if options.minos and combination.quadratic:
        _print("Delta chi2 = 1: the same errors up and down, because chi2 is quadratic in every parameter of this model")
    _write(profile_data(fit, compatible), options.json)
    return 0


def _scan(options: argparse.Namespace) -> int:
    from bayescomb.export import scan_data
    from bayescomb.scan import scan
    from bayescomb.text import scan_text

    result = scan(_load(options), points=options.points)
    _print(scan_text(result))
    _write(scan_data(result), options.json)
    return 0


def _impacts(options: argparse.Namespace) -> int:
    from bayescomb.export import impact_data
    from bayescomb.impacts import impacts
    from bayescomb.text import impact_text

    result = impacts(_load(options), definition=options.definition)
    _print(impact_text(result))
    _write(impact_data(result), options.json)
    return 0


def _sample(options: argparse.Namespace) -> int:
    combination = _load(options)
    _require_folder(options.output)
    from bayescomb.convergence import verdict
    from bayescomb.export import posterior_data
    from bayescomb.posterior import sample
    from bayescomb.storage import save_posterior
    from bayescomb.text import posterior_text

    posterior = sample(
        combination,
        seed=options.seed,
        draws=options.draws,
        tune=options.tune,
        chains=options.chains,
        correlations=options.correlations,
        engine=options.engine,
        backend=options.backend,
    )
    judged = verdict(posterior)
    _print(posterior_text(posterior, combination, judged))
    _print(str(save_posterior(posterior, options.output)))
    if options.json is not None:
        _write(posterior_data(posterior, judged), options.json)
    return 0 if judged.passed else EXIT_NOT_CONVERGED


def _require_folder(path: Path) -> None:
    """Minutes of sampling must not end in a typing error of the output."""
    if not path.parent.is_dir():
        msg = f"{path}: the folder {path.parent} does not exist; make it first"
        raise OutputError(msg)


def _compare(options: argparse.Namespace) -> int:
    from bayescomb.comparison import compare
    from bayescomb.export import comparison_data
    from bayescomb.profile import profile
    from bayescomb.storage import load_posterior, require_same_model
    from bayescomb.text import comparison_text

    posterior = load_posterior(options.posterior)
    result = compare(posterior, profile(require_same_model(posterior, _load_as_sampled(options, posterior))))
    _print(comparison_text(result))
    data = comparison_data(result)
    if result.combination.quadratic and not result.combination.normalise:
        from bayescomb.extraction_export import relevance_data, shares_data
        from bayescomb.extraction_text import relevance_text, shares_text
        from bayescomb.relevance import coefficient_relevance
        from bayescomb.variance import variance_shares

        units = {o.name: o.unit for o in result.combination.results}
        shares = variance_shares(posterior)
        data["variance_shares"] = shares_data(shares)
        _print("\n" + shares_text(shares, units))
        if "prior" in posterior.children:
            relevance = coefficient_relevance(posterior)
            data["relevance"] = relevance_data(relevance)
            _print("\n" + relevance_text(relevance, units))
    _write(data, options.json)
    return 0


def _report(options: argparse.Namespace) -> int:
    from bayescomb.profile import profile
    from bayescomb.reporting import report
    from bayescomb.storage import load_posterior, require_same_model

    posterior = None
    if options.posterior is not None:
        posterior = load_posterior(options.posterior)
        combination = require_same_model(posterior, _load_as_sampled(options, posterior))
    else:
        combination = _load(options)
    _print(str(report(posterior, profile(combination), options.output)))
    return 0


def _theory(options: argparse.Namespace) -> int:
    from bayescomb.extraction_export import theory_data
    from bayescomb.extraction_text import envelope_text, quality_text, variants_text
    from bayescomb.text import header
    from bayescomb.theory_variants import prediction_variants, scale_envelope

    combination = _load(options)
    variants, envelope = prediction_variants(combination), scale_envelope(combination)
    _print("\n\n".join([header(combination), variants_text(variants), envelope_text(envelope), quality_text(combination)]))
    _write(theory_data(combination, variants, envelope), options.json)
    return 0


def _sets(options: argparse.Namespace) -> int:
    from bayescomb.extraction_export import sets_data
    from bayescomb.extraction_text import sets_text
    from bayescomb.set_comparison import compare_sets

    result = compare_sets(_load(options), draws=options.draws, seed=options.seed)
    _print(sets_text(result))
    _write(sets_data(result), options.json)
    if options.output is not None:
        from bayescomb.figures_sets import save_set_figures

        for path in save_set_figures(result, options.output):
            _print(str(path))
    return 0


def _convert(options: argparse.Namespace) -> int:
    from bayescomb.conversion import convert

    _print(str(convert(options.model, options.target, overwrite=options.overwrite)))
    return 0


def _say_warning(message: Warning | str, category: type[Warning], *details: object, **named: object) -> None:
    """What an input holds is said like an error; other warnings look as they always do."""
    if issubclass(category, InputWarning):
        sys.stderr.write(f"bayescomb: warning: {message}\n")
    else:
        _show_warning(message, category, *details, **named)  # type: ignore[arg-type]
