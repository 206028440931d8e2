"""What each command does: load the model, call the library, print, write what was asked for."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import TYPE_CHECKING

from bayescomb.base.errors import BayescombError, OptionError, PosteriorError
from bayescomb.cli.output import save_sampled, show, write_result
from bayescomb.cli.output import say as _print

if TYPE_CHECKING:
    import xarray as xr

    from bayescomb.inputs.combination import Combination

__all__ = [
    "DRAWS_BEHIND",
    "DRAWS_PER_TOY",
    "WORKERS",
    "run_check",
    "run_compare",
    "run_convert",
    "run_copy_model",
    "run_coverage",
    "run_explore",
    "run_export",
    "run_impacts",
    "run_models",
    "run_profile",
    "run_report",
    "run_sample",
    "run_scan",
    "run_sets",
    "run_theory",
]

EXIT_NOT_CONVERGED = 3
EXIT_INTERRUPTED = 130
# Defaults of options that are refused where they would do nothing.
DRAWS_BEHIND = 1000
DRAWS_PER_TOY = 300
WORKERS = 2


def _load(options: argparse.Namespace) -> Combination:
    from bayescomb.formats.loading import load
    from bayescomb.inputs.combination import how_to_extract

    combination = load(
        options.model,
        extraction=_extraction(getattr(options, "extraction", None)),
        shared_names=options.shared_names,
    )
    if getattr(options, "drop", None):
        extraction = combination.extraction_in_force
        if extraction is None:
            msg = f"--drop {options.drop[0]}: no mass is extracted; {how_to_extract(combination)}"
            raise OptionError(msg)
        combination = combination.with_extraction(dataclasses.replace(extraction, drop=tuple(options.drop)))
    if getattr(options, "assumptions", None) is not None:
        combination = combination.with_assumptions(options.assumptions)
    treatment = getattr(options, "treatment", None) or combination.treatment
    asked = getattr(options, "repair", None)
    if asked not in (None, "none") and treatment != "nuisance":
        msg = (
            f"--repair {asked}: the treatment {treatment!r} needs no repair; give --treatment nuisance too, or leave it out"
        )
        raise OptionError(msg)
    combination = combination.with_treatment(treatment, repair=asked or combination.repair)
    if getattr(options, "chi2", None):
        combination = combination.with_chi2(options.chi2)
    if getattr(options, "nuisance_values", None):
        combination = combination.with_nuisance_values(options.nuisance_values)
    if getattr(options, "error_on_error", None):
        given = dict(_relative_uncertainty(text) for text in options.error_on_error)
        combination = combination.with_errors_on_errors({**combination.errors_on_errors, **given})
    asked_nonnegative = _nonnegative(options, combination)
    if asked_nonnegative:
        combination = combination.with_nonnegative(set(asked_nonnegative).union(combination.nonnegative))
    return combination


def _nonnegative(options: argparse.Namespace, combination: Combination) -> list[str]:
    """Names that ``--nonnegative`` asks for; without a name all observables but spectators."""
    given = getattr(options, "nonnegative", None) or []
    return [o.name for o in combination.observables if not o.spectator] if None in given else list(given)


def _relative_uncertainty(text: str) -> tuple[str, float]:
    """``SOURCE=RELATIVE`` of the command line."""
    name, _, value = text.rpartition("=")
    try:
        return name, float(value)
    except ValueError:
        msg = f"--error-on-error {text}: SOURCE=RELATIVE is needed, as in --error-on-error JES=0.3"
        raise OptionError(msg) from None


def _load_as_sampled(options: argparse.Namespace, posterior: xr.DataTree) -> Combination:
    """The model with the extraction of a posterior in force, dropped bins included.

    Raises:
        OptionError: an option asks for another setting than that which was sampled.
    """
    from bayescomb.sampling.storage import combination_of

    own = combination_of(posterior)
    _require_as_sampled(options, own)
    given = argparse.Namespace(model=options.model, extraction="none", shared_names=options.shared_names)
    combination = _load(given)
    try:
        return combination.with_extraction(own.extraction_in_force or "")
    except BayescombError as error:
        msg = (
            f"{options.posterior} was made from {own.name!r}, not from {combination.name!r} as it is now ({error}); name "
            "its model, or sample again from this one"
        )
        raise PosteriorError(msg) from error


def _require_as_sampled(options: argparse.Namespace, own: Combination) -> None:
    """The posterior has settings of its own, which no option can change afterwards."""
    extraction = own.extraction_in_force
    settings: dict[str, object] = {
        "assumptions": own.assumptions,
        "treatment": own.treatment,
        "repair": own.repair,
        "chi2": own.chi2,
        "extraction": own.extraction or "none",
        "nuisance_values": own.nuisance_values,
    }
    asked = {key: getattr(options, key, None) for key in settings}
    wrong = {key: (value, settings[key]) for key, value in asked.items() if value is not None and value != settings[key]}
    for name in getattr(options, "drop", None) or ():
        if extraction is None or name not in extraction.drop:
            wrong["drop"] = (name, ", ".join(extraction.drop) if extraction and extraction.drop else "none")
    for text in getattr(options, "error_on_error", None) or ():
        source, relative = _relative_uncertainty(text)
        found = own.errors_on_errors.get(source)
        if found is None or found.relative != relative:
            wrong["error_on_error"] = (text, "none" if found is None else f"{source}={found.relative:g}")
    for name in _nonnegative(options, own):
        if name not in own.nonnegative:
            wrong["nonnegative"] = (name, ", ".join(own.nonnegative) or "none")
    for key, (value, sampled) in wrong.items():
        option = f"--{key.replace('_', '-')}"
        msg = (
            f"{option} {value}: {options.posterior} was sampled with {sampled}, which stands; leave {option} out, or sample "
            f"again: bayescomb sample {options.model} {option} {value} --output OTHER.nc"
        )
        raise OptionError(msg)


def _extraction(name: str | None) -> str | None:
    """What ``--extraction`` means to the library; ``None`` leaves it to the model."""
    return "" if name == "none" else name


def run_models(options: argparse.Namespace) -> int:
    """Names, titles and folders of the shipped models."""
    from bayescomb.formats.shipped import model_title, shipped_models

    del options  # lists them all
    for name, folder in shipped_models().items():
        _print(f"{name:12s} {model_title(folder)}\n{'':12s} {folder}")
    return 0


def run_copy_model(options: argparse.Namespace) -> int:
    """A copy of a shipped model."""
    from bayescomb.formats.shipped import copy_model

    _print(str(copy_model(options.name, options.target)))
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Sizes, blocks and feasibility."""
    from bayescomb.likelihood.check import check
    from bayescomb.output.text import check_text

    _print(check_text(check(_load(options))))
    return 0


def run_profile(options: argparse.Namespace) -> int:
    """Best fit, its compatibility and goodness."""
    from bayescomb.fit.compatibility import compatibility
    from bayescomb.fit.profile import profile
    from bayescomb.output.data import profile_data
    from bayescomb.output.text import compatibility_text, profile_text

    combination = _load(options)
    fit, compatible = profile(combination, parts=options.parts), compatibility(combination)
    text = profile_text(fit)
    if compatible:
        text += "\n\n" + compatibility_text(compatible)
    if options.minos and (combination.parabolic or (combination.extraction and not combination.functions)):
        text += "\nDelta chi2 = 1: the same errors up and down, because chi2 is quadratic in every parameter of this model"
    show(text, profile_data(fit, compatible), options.json)
    return 0


def run_scan(options: argparse.Namespace) -> int:
    """Results along every coefficient."""
    from bayescomb.fit.scan import scan
    from bayescomb.output.data import scan_data
    from bayescomb.output.scan_text import scan_text

    result = scan(_load(options), points=options.points)
    show(scan_text(result), scan_data(result), options.json)
    return EXIT_INTERRUPTED if result.interrupted else 0


def run_impacts(options: argparse.Namespace) -> int:
    """Parts of the uncertainty."""
    from bayescomb.fit.impacts import impacts
    from bayescomb.output.data import impact_data
    from bayescomb.output.text import impact_text

    result = impacts(_load(options), parts=options.parts)
    show(impact_text(result), impact_data(result), options.json)
    return 0


def run_sample(options: argparse.Namespace) -> int:
    """A posterior in a file; the exit code tells whether it has converged."""
    combination = _load(options)
    from bayescomb.output.analysis import nominal_fit
    from bayescomb.output.data import posterior_data
    from bayescomb.output.text import posterior_text
    from bayescomb.sampling.sample import sample
    from bayescomb.sampling.summary import summarise

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
    sampled = summarise(posterior)
    try:
        save_sampled(posterior, options.output)
    finally:
        _print(posterior_text(sampled))
    _print(str(options.output))
    if options.json is not None:
        write_result(posterior_data(sampled, nominal_fit(combination)), options.json)
    if sampled.run.interrupted:
        return EXIT_INTERRUPTED
    return 0 if sampled.verdict.passed else EXIT_NOT_CONVERGED


def run_compare(options: argparse.Namespace) -> int:
    """Posterior beside profile, and where the variance comes from."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.analysis import divide
    from bayescomb.output.data import comparison_data
    from bayescomb.output.extraction_text import divided_text
    from bayescomb.output.text import comparison_text
    from bayescomb.sampling.convergence import verdict
    from bayescomb.sampling.storage import load_posterior, require_same_model, run_of
    from bayescomb.studies.comparison import compare

    posterior = load_posterior(options.posterior)
    combination = require_same_model(posterior, _load_as_sampled(options, posterior))
    result, divided = compare(posterior, profile(combination)), divide(posterior, run_of(posterior), combination)
    text = "\n\n".join([comparison_text(result), *divided_text(divided, combination)])
    data, judged = comparison_data(result, divided), verdict(posterior)
    data["converged"] = judged.passed
    if not judged.passed:
        text = f"{judged.sentence}\n{text}"
    show(text, data, options.json)
    return 0


def run_report(options: argparse.Namespace) -> int:
    """The folder of a report."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.report.report import report

    combination, posterior = _load_with_posterior(options)
    _print(str(report(posterior, profile(combination, parts=options.parts), options.output)))
    return 0


def _load_with_posterior(options: argparse.Namespace) -> tuple[Combination, xr.DataTree | None]:
    """The model with the settings of its posterior if one is given."""
    from bayescomb.sampling.storage import load_posterior, require_same_model

    if options.posterior is None:
        return _load(options), None
    posterior = load_posterior(options.posterior)
    return require_same_model(posterior, _load_as_sampled(options, posterior)), posterior


def run_export(options: argparse.Namespace) -> int:
    """A submission to HEPData."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.export.export import export_hepdata

    keywords: dict[str, list[str | float]] = {}
    for word in options.keyword or ():
        kind, equals, value = word.partition("=")
        if not (kind and equals and value):
            msg = f"--keyword {word}: KIND=VALUE is needed, e.g. 'reactions=P P --> TOP TOPBAR X'"
            raise OptionError(msg)
        keywords.setdefault(kind, []).append(value)
    combination, posterior = _load_with_posterior(options)
    _print(
        str(
            export_hepdata(profile(combination, parts=options.parts), options.output, posterior=posterior, keywords=keywords)
        )
    )
    return 0


def _refuse(options: argparse.Namespace, *names: str, because: str) -> None:
    """Options that would do nothing are not taken in silence.

    Raises:
        OptionError: one is given.
    """
    for name in names:
        if getattr(options, name) is not None:
            msg = f"--{name} {getattr(options, name)}: it would do nothing, {because}; leave it out"
            raise OptionError(msg)


def run_explore(options: argparse.Namespace) -> int:
    """The page on which coefficients are moved."""
    from bayescomb.output.explorer.page import explore

    if options.posterior is not None:
        _refuse(options, "draws", "seed", because=f"{options.posterior} is already sampled")
    combination, posterior = _load_with_posterior(options)
    draws = DRAWS_BEHIND if options.draws is None else options.draws
    page = explore(combination, options.output, posterior=posterior, draws=draws, seed=options.seed)
    _print(str(page))
    return 0


def run_theory(options: argparse.Namespace) -> int:
    """The mass with other predictions."""
    from bayescomb.output.extraction_data import theory_data
    from bayescomb.output.extraction_text import theory_text
    from bayescomb.studies.theory_variants import theory_study

    study = theory_study(_load(options))
    show(theory_text(study), theory_data(study), options.json)
    return 0


def run_sets(options: argparse.Namespace) -> int:
    """Results under every assumption set."""
    from bayescomb.output.extraction_data import sets_data
    from bayescomb.output.extraction_text import sets_text
    from bayescomb.studies.assumption_sets import compare_sets
    from bayescomb.studies.executors import executor_of

    if not options.draws:
        _refuse(options, "seed", "workers", "scheduler", because="nothing is sampled without --draws")
    elif options.scheduler is not None:
        _refuse(options, "workers", because=f"the workers of {options.scheduler} sample")
    folder = options.output if options.draws else None
    with executor_of(scheduler=options.scheduler, workers=options.workers or 0) as executor:
        result = compare_sets(_load(options), draws=options.draws, seed=options.seed, directory=folder, executor=executor)
    show(sets_text(result), sets_data(result), options.json)
    if options.output is not None:
        from bayescomb.output.figures.studies import save_set_figures

        for path in save_set_figures(result, options.output):
            _print(str(path))
    return EXIT_INTERRUPTED if result.interrupted else 0


def run_coverage(options: argparse.Namespace) -> int:
    """A calibration study; what is finished stays in its folder."""
    from bayescomb.output.data import study_data
    from bayescomb.output.figures.studies import save_calibration_figures
    from bayescomb.output.text import study_text
    from bayescomb.studies.calibration import coverage
    from bayescomb.studies.executors import executor_of

    if options.profile_only:
        _refuse(options, "draws", because="--profile-only does not sample")
    if options.scheduler is not None:
        _refuse(options, "workers", because=f"the workers of {options.scheduler} work")
    combination = _load(options)
    try:
        with executor_of(scheduler=options.scheduler) as executor:
            study = coverage(
                combination,
                options.output,
                toys=options.toys,
                seed=options.seed,
                correlations=options.correlations,
                posterior=not options.profile_only,
                draws=DRAWS_PER_TOY if options.draws is None else options.draws,
                executor=executor,
                workers=WORKERS if options.workers is None else options.workers,
            )
    except KeyboardInterrupt:
        sys.stderr.write(f"bayescomb: interrupted; finished data sets are in {options.output}, the same command goes on\n")
        return EXIT_INTERRUPTED
    show(study_text(study, combination), study_data(study, combination), options.json)
    for path in save_calibration_figures(study, options.output):
        _print(str(path))
    return 0


def run_convert(options: argparse.Namespace) -> int:
    """A model in another form."""
    from bayescomb.formats.loading import convert

    _print(str(convert(options.model, options.target, overwrite=options.overwrite, shared_names=options.shared_names)))
    return 0
