"""The commands, one function each: load the model, call the library, print the result and write its files."""

from __future__ import annotations

import argparse
import sys

from bayescomb.base.choices import DRAWS_BEHIND, DRAWS_PER_TOY, WORKERS
from bayescomb.base.errors import OptionError
from bayescomb.cli.averages import run_table
from bayescomb.cli.loading import load_as_sampled, load_model, load_with_posterior
from bayescomb.cli.output import EXIT_INTERRUPTED, EXIT_NOT_CONVERGED, STANDARD, save_sampled, say, show, write_result

__all__ = [
    "run_check",
    "run_compare",
    "run_completion",
    "run_convert",
    "run_coverage",
    "run_explore",
    "run_export",
    "run_impacts",
    "run_init",
    "run_models",
    "run_profile",
    "run_reference",
    "run_report",
    "run_sample",
    "run_scan",
    "run_sets",
    "run_table",
    "run_theory",
]


def run_models(options: argparse.Namespace) -> int:
    """Names, titles and folders of the shipped models, or a copy of one."""
    from bayescomb.formats.shipped import copy_model, model_title, shipped_models

    if getattr(options, "action", "") == "copy":
        say(str(copy_model(options.name, options.target)))
        return 0
    for name, folder in shipped_models().items():
        say(f"{name:12s} {model_title(folder)}\n{'':12s} {folder}")
    return 0


def run_init(options: argparse.Namespace) -> int:
    """Write the files of a new model."""
    from bayescomb.cli.asking import asked_list
    from bayescomb.formats.toml.template import template_from_table, template_of, write_template

    if options.table is not None:
        for name in ("experiments", "sources"):
            if getattr(options, name) is not None:
                msg = f"--{name} {getattr(options, name)}: {options.table} already holds the {name}; leave --{name} out"
                raise OptionError(msg)
        units = [] if options.observables is None else asked_list(options, "observables")
        template = template_from_table(options.table, units=units)
    else:
        template = template_of(**{name: asked_list(options, name) for name in ("observables", "experiments", "sources")})
    for path in write_template(template, options.name):
        say(str(path))
    filled = options.table is not None
    steps = ["the tables"] if not filled else ["within.csv"] if len(template.repeated) else []
    fill = f"fill in {' and '.join([*steps, 'the correlations in model.toml'])}"
    say(f"next: {fill}, then: bayescomb check {options.name}")
    return 0


def run_reference(options: argparse.Namespace) -> int:
    """The keys of a model file, from the declaration by which its reader checks them."""
    from bayescomb.formats.declared.reference import json_schema, reference_page, reference_text

    if options.key and (options.schema or options.markdown):
        msg = f"{options.key}: --schema and --markdown describe the whole file; leave {options.key} or the option out"
        raise OptionError(msg)
    if options.schema:
        write_result(json_schema(), STANDARD)
    else:
        say(reference_page() if options.markdown else reference_text(options.key))
    return 0


def run_completion(options: argparse.Namespace) -> int:
    """A script for a shell, on standard output."""
    from bayescomb.cli.command_list import COMMANDS
    from bayescomb.cli.parser import completion_script

    sys.stdout.write(completion_script(options.shell, COMMANDS))
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Sizes, blocks and feasibility."""
    from bayescomb.likelihood.check import check
    from bayescomb.output.data.check import check_data
    from bayescomb.output.text.check import check_text

    result = check(load_model(options))
    show(check_text(result), lambda: check_data(result), options.json)
    return 0


def run_profile(options: argparse.Namespace) -> int:
    """Best fit, its goodness, and the compatibility of the inputs."""
    from bayescomb.fit.compatibility import compatibility
    from bayescomb.fit.profile import profile
    from bayescomb.output.averages import possible_reading
    from bayescomb.output.text.fit import compatibility_text, profile_text, reading_lines

    combination = load_model(options)
    fit, compatible = profile(combination, parts=options.parts), compatibility(combination)
    if options.scale_factor is not None:
        from bayescomb.fit.averaging.inconsistency import scaled_profile

        fit = scaled_profile(fit, options.scale_factor)
    reading = possible_reading(combination)
    text = "\n".join([profile_text(fit), *reading_lines(reading, combination)])
    if compatible:
        text += "\n\n" + compatibility_text(compatible)
    if options.minos and (combination.parabolic or (combination.extraction and not combination.functions)):
        text += "\nDelta chi2 = 1: the same errors up and down, because chi2 is quadratic in every parameter of this model"

    def data() -> dict[str, object]:
        from bayescomb.output.data.results import profile_data

        return profile_data(fit, compatible, reading)

    show(text, data, options.json)
    return 0


def run_scan(options: argparse.Namespace) -> int:
    """Results along the range of every coefficient."""
    from bayescomb.fit.scan import scan
    from bayescomb.output.data.results import scan_data
    from bayescomb.output.text.scan import scan_text

    result = scan(load_model(options), points=options.points)
    show(scan_text(result), lambda: scan_data(result), options.json)
    return EXIT_INTERRUPTED if result.interrupted else 0


def run_impacts(options: argparse.Namespace) -> int:
    """Parts of the uncertainty."""
    from bayescomb.fit.impacts import impacts
    from bayescomb.output.data.results import impact_data
    from bayescomb.output.text.fit import impact_text

    result = impacts(load_model(options), parts=options.parts)
    show(impact_text(result), lambda: impact_data(result), options.json)
    return 0


def run_sample(options: argparse.Namespace) -> int:
    """Sample a posterior into a file; the exit code states whether it has converged."""
    combination = load_model(options)
    from bayescomb.output.analysis import nominal_fit
    from bayescomb.output.data.results import posterior_data
    from bayescomb.output.text.posterior import posterior_text
    from bayescomb.sampling.posterior.summary import summarise
    from bayescomb.sampling.sample import sample

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
        say(posterior_text(sampled))
    say(str(options.output))
    if options.json is not None:
        fit = nominal_fit(combination)
        write_result(posterior_data(sampled, fit), options.json)
    if sampled.run.interrupted:
        return EXIT_INTERRUPTED
    return 0 if sampled.verdict.passed else EXIT_NOT_CONVERGED


def run_compare(options: argparse.Namespace) -> int:
    """Posterior beside profile, and the origins of the posterior variance."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.analysis import divide
    from bayescomb.output.data.results import comparison_data
    from bayescomb.output.text.extraction import divided_text
    from bayescomb.output.text.posterior import comparison_text
    from bayescomb.sampling.posterior.convergence import verdict
    from bayescomb.sampling.posterior.storage import load_posterior, require_same_model, run_of
    from bayescomb.studies.comparison import compare

    posterior = load_posterior(options.posterior)
    combination = require_same_model(posterior, load_as_sampled(options, posterior))
    result, divided = compare(posterior, profile(combination)), divide(posterior, run_of(posterior), combination)
    text = "\n\n".join([comparison_text(result), *divided_text(divided, combination)])
    data, judged = comparison_data(result, divided), verdict(posterior)
    data["converged"] = judged.passed
    if not judged.passed:
        text = f"{judged.sentence}\n{text}"
    show(text, lambda: data, options.json)
    return 0


def run_report(options: argparse.Namespace) -> int:
    """Write the folder of a report."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.report.report import report

    combination, posterior = load_with_posterior(options)
    say(str(report(posterior, profile(combination, parts=options.parts), options.output)))
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write a submission to HEPData."""
    from bayescomb.fit.profile import profile
    from bayescomb.output.export.export import export_hepdata

    keywords: dict[str, list[str | float]] = {}
    for word in options.keyword or ():
        kind, equals, value = word.partition("=")
        if not (kind and equals and value):
            msg = f"--keyword {word}: KIND=VALUE is needed, e.g. 'reactions=P P --> TOP TOPBAR X'"
            raise OptionError(msg)
        keywords.setdefault(kind, []).append(value)
    combination, posterior = load_with_posterior(options)
    fit = profile(combination, parts=options.parts)
    say(str(export_hepdata(fit, options.output, posterior=posterior, keywords=keywords)))
    return 0


def _refuse(options: argparse.Namespace, *names: str, because: str) -> None:
    """Refuse options that have no effect.

    Raises:
        OptionError: one of them is given.
    """
    for name in names:
        if getattr(options, name) is not None:
            msg = f"--{name} {getattr(options, name)}: it has no effect, as {because}; leave --{name} out"
            raise OptionError(msg)


def run_explore(options: argparse.Namespace) -> int:
    """Write the page with sliders for the coefficients."""
    from bayescomb.output.explorer.page import explore

    if options.posterior is not None:
        _refuse(options, "draws", "seed", because=f"{options.posterior} is already sampled")
    combination, posterior = load_with_posterior(options)
    draws = DRAWS_BEHIND if options.draws is None else options.draws
    page = explore(combination, options.output, posterior=posterior, draws=draws, seed=options.seed)
    say(str(page))
    return 0


def run_theory(options: argparse.Namespace) -> int:
    """The mass with each of the predictions."""
    from bayescomb.output.data.extraction import theory_data
    from bayescomb.output.text.extraction import theory_text
    from bayescomb.studies.theory.study import theory_study

    study = theory_study(load_model(options))
    show(theory_text(study), lambda: theory_data(study), options.json)
    return 0


def run_sets(options: argparse.Namespace) -> int:
    """Results under every assumption set."""
    from bayescomb.output.data.extraction import sets_data
    from bayescomb.output.text.extraction import sets_text
    from bayescomb.studies.assumption_sets import compare_sets
    from bayescomb.studies.executors import executor_of

    if not options.draws:
        _refuse(options, "seed", "workers", "scheduler", because="nothing is sampled without --draws")
    elif options.scheduler is not None:
        _refuse(options, "workers", because=f"the workers of {options.scheduler} sample")
    folder = options.output if options.draws else None
    with executor_of(scheduler=options.scheduler, workers=options.workers or 0) as executor:
        result = compare_sets(
            load_model(options), draws=options.draws, seed=options.seed, directory=folder, executor=executor
        )
    show(sets_text(result), lambda: sets_data(result), options.json)
    if options.output is not None:
        from bayescomb.output.figures.studies import save_set_figures

        for path in save_set_figures(result, options.output):
            say(str(path))
    return EXIT_INTERRUPTED if result.interrupted else 0


def run_coverage(options: argparse.Namespace) -> int:
    """A calibration study, whose finished data sets stay in its folder."""
    from bayescomb.output.data.results import study_data
    from bayescomb.output.figures.studies import save_calibration_figures
    from bayescomb.output.text.posterior import study_text
    from bayescomb.studies.executors import executor_of
    from bayescomb.studies.simulated.calibration import coverage

    if options.profile_only:
        _refuse(options, "draws", because="--profile-only does not sample")
    if options.scheduler is not None:
        _refuse(options, "workers", because=f"the workers of {options.scheduler} do the work")
    combination = load_model(options)
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
    show(study_text(study, combination), lambda: study_data(study, combination), options.json)
    for path in save_calibration_figures(study, options.output):
        say(str(path))
    return 0


def run_convert(options: argparse.Namespace) -> int:
    """Write a model in another format."""
    from bayescomb.formats.loading import convert

    written = convert(
        options.model,
        options.target,
        overwrite=options.overwrite,
        shared_names=options.shared_names,
        unblind=options.unblind,
    )
    say(str(written))
    return 0
