"""The commands in the order of a typical analysis: the arguments and the examples of each."""

from __future__ import annotations

import argparse
from typing import Final

from bayescomb.base.choices import (
    BACKENDS,
    CORRELATIONS,
    DRAWS_BEHIND,
    DRAWS_PER_TOY,
    ENGINES,
    SCAN_POINTS,
    SHELLS,
    TABLE_FORMATS,
    TABLES,
    WORKERS,
)
from bayescomb.cli import options
from bayescomb.cli.parser import Command, Example

__all__ = ["COMMANDS"]

RUN1: Final = "models/run1_mass"
TABLES_TEXT: Final = """\
breakdown      sources in rows, inputs and results in columns, with the decimals of the inputs; chi2 and S
weights        weights, relative importance, intrinsic and marginal information, pulls; the order of importance
correlation    correlation matrix of the results
sources        errors and correlations of the results by each source; covariances with --json
compatibility  each measurement, estimate and experiment against the rest
without        the results without each input in turn
groups         results of each experiment, or of each --group, alone and together
scale          Birge ratio, S of the Particle Data Group and expansion factor of CODATA; none is applied
relative       results with relative errors as stated, iterated, and taken as absolute errors
all            all of these
--scale-factor multiplies the errors of the results in breakdown, correlation and sources."""


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=options.path, help="folder to make; the model gets its name")
    text = "combined quantities with their units, e.g. 'sigma_tt [pb],sigma_t [pb]'"
    parser.add_argument("--observables", metavar="LIST", help=text)
    parser.add_argument("--experiments", metavar="LIST", help="collaborations, e.g. ATLAS,CMS")
    parser.add_argument("--sources", metavar="LIST", help="sources of systematic uncertainty, e.g. JES,luminosity")
    text = "filled table (.csv or .xlsx) with the columns of a budget; every other column is a source"
    parser.add_argument("--from", metavar="TABLE", type=options.path, dest="table", help=text)


def _models(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", parser_class=argparse.ArgumentParser)
    copy = actions.add_parser("copy", help="Copy a model into a folder of your own.", description="Copy a shipped model.")
    copy.add_argument("name", metavar="NAME", help="name of a model that 'bayescomb models' lists")
    copy.add_argument("target", metavar="DIR", nargs="?", help="folder to make (default: NAME)")
    copy.set_defaults(action="copy")


def _check(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.json_output(parser)
    _all_settings(parser, of_drop=False)


def _profile(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.parts(parser)
    options.scale_factor(parser)
    parser.add_argument("--minos", action="store_true", help="state the Delta chi2 = 1 errors also where they are symmetric")
    options.json_output(parser)
    _all_settings(parser)


def _impacts(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.parts(parser)
    options.json_output(parser)
    _all_settings(parser)


def _table(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    group = parser.add_argument_group("tables", TABLES_TEXT)
    text = "table to print (default: breakdown); repeatable"
    group.add_argument("--of", choices=TABLES, action="append", metavar="TABLE", help=text)
    text = "estimates of a group for --of groups: patterns with * and ? of names, titles or measurements; repeatable"
    group.add_argument("--group", metavar="NAME=PATTERN,...", action="append", help=text)
    options.scale_factor(parser)
    text = "file of the tables: .txt, .tex, .csv or .html"
    options.output(parser, metavar="F", kind="file", text=text, required=False)
    text = "format of the tables (default: by the ending of --output, else text)"
    parser.add_argument("--format", choices=TABLE_FORMATS, help=text)
    options.json_output(parser)
    _all_settings(parser)


def _scan(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    text = f"points of each scan (default: {SCAN_POINTS})"
    parser.add_argument("--points", type=int, default=SCAN_POINTS, metavar="N", help=text)
    options.json_output(parser)
    _all_settings(parser)


def _sample(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.output(parser, metavar="F.nc", kind="file", ending=".nc", text="netCDF file of the posterior")
    options.json_output(parser)
    group = parser.add_argument_group("sampling")
    for name, default, text in (
        ("draws", 1500, "draws per chain"),
        ("tune", 500, "tuning steps per chain"),
        ("chains", 4, "chains"),
    ):
        group.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default: {default})")
    group.add_argument("--seed", type=int, metavar="N", help="seed of all random numbers (default: drawn and stored)")
    text = "sample the coefficients over their priors, or hold them at nominal (default: prior)"
    group.add_argument("--correlations", choices=CORRELATIONS, default="prior", help=text)
    text = "marginal: integrate the nuisances exactly; full: sample them (default: marginal)"
    group.add_argument("--engine", choices=ENGINES, default="marginal", help=text)
    text = "code that draws: fused and vm start at once, numba compiles first, for long runs (default: auto)"
    group.add_argument("--backend", choices=BACKENDS, default="auto", help=text)
    _all_settings(parser)


def _compare(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.posterior(parser, required=True)
    options.json_output(parser)
    options.inputs(parser)


def _report(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.posterior(parser, text="posterior from 'bayescomb sample' (default: a report of the profile alone)")
    options.parts(parser)
    options.output(parser, metavar="DIR", kind="folder", text="folder of the report")
    _all_settings(parser)


def _explore(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.posterior(parser, text="posterior shown behind the result (default: sampled now)")
    options.output(parser, metavar="F.html", kind="file", ending=".html", text="file of the page")
    group = parser.add_argument_group("sampling")
    text = f"draws per chain where no POSTERIOR.nc is given, 0 for no posterior (default: {DRAWS_BEHIND})"
    group.add_argument("--draws", type=int, metavar="N", help=text)
    group.add_argument("--seed", type=int, metavar="N", help="seed of the sampling (default: drawn and stored)")
    _all_settings(parser)


def _theory(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.json_output(parser)
    _all_settings(parser, of_drop=False)


def _sets(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    text = "folder of figures and posteriors; with it an interrupted run continues"
    options.output(parser, metavar="DIR", kind="folder", text=text, required=False)
    options.json_output(parser)
    group = parser.add_argument_group("sampling")
    text = "also sample, with N draws per chain (default: profile only)"
    group.add_argument("--draws", type=int, default=0, metavar="N", help=text)
    group.add_argument("--seed", type=int, metavar="N", help="seed of the sampling (default: drawn)")
    group.add_argument("--workers", type=int, metavar="N", help="local processes that sample (default: this process)")
    options.scheduler(group)
    _all_settings(parser, of_set=False)


def _coverage(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.output(parser, metavar="DIR", kind="folder", text="folder of the study: a new one, or one to continue")
    options.json_output(parser)
    group = parser.add_argument_group("data sets")
    group.add_argument("--toys", type=int, required=True, metavar="N", help="number of data sets")
    text = "draw the coefficients from their priors, or hold them at nominal (default: prior)"
    group.add_argument("--correlations", choices=CORRELATIONS, default="prior", help=text)
    text = "profile the data sets and sample none: thousands in seconds"
    group.add_argument("--profile-only", action="store_true", help=text)
    group.add_argument("--draws", type=int, metavar="N", help=f"draws per chain (default: {DRAWS_PER_TOY})")
    group.add_argument("--seed", type=int, default=1, metavar="N", help="seed of all random numbers (default: 1)")
    group.add_argument("--workers", type=int, metavar="N", help=f"local processes (default: {WORKERS})")
    options.scheduler(group)
    _all_settings(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    options.posterior(parser, text="posterior whose results are added (default: the profile alone)")
    options.parts(parser)
    text = "folder, or archive NAME.tar.gz or NAME.zip"
    options.output(parser, metavar="OUT", kind="either", text=text)
    text = "keyword of HEPData; KIND is reactions, observables, cmenergies (in GeV) or phrases; repeatable"
    parser.add_argument("--keyword", metavar="KIND=VALUE", action="append", help=text)
    _all_settings(parser)


def _convert(parser: argparse.ArgumentParser) -> None:
    options.model(parser)
    text = "a folder or NAME.toml (model.toml), or NAME.txt (Convino)"
    parser.add_argument("target", metavar="OUT", type=options.path, help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    options.shared_names(parser)
    options.unblind(parser)


def _reference(parser: argparse.ArgumentParser) -> None:
    text = "a table or key of model.toml, e.g. assumption_sets.coefficients or prior (default: all)"
    parser.add_argument("key", metavar="KEY", nargs="?", default="", help=text)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--schema", action="store_true", help="the JSON schema, for editors")
    form.add_argument("--markdown", action="store_true", help="the whole reference as a Markdown page")


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=f"{', '.join(SHELLS[:-1])} or {SHELLS[-1]}")


def _all_settings(parser: argparse.ArgumentParser, *, of_set: bool = True, of_drop: bool = True) -> None:
    options.inputs(parser)
    options.coefficients(parser, of_set=of_set)
    options.settings(parser)
    options.extraction(parser, of_drop=of_drop)


COMMANDS: Final = (
    Command(
        "init",
        "Start a model of your own: tables to fill in and a model.toml with comments.",
        "run_init",
        _init,
        (
            Example("bayescomb init mine", "asks for observables, experiments and sources"),
            Example("bayescomb init mine --observables 'm_t [GeV]' --experiments ATLAS,CMS --sources JES,lumi", ""),
            Example("bayescomb init mine --from table.csv", "from a filled table"),
        ),
    ),
    Command(
        "models",
        "List or copy the shipped models.",
        "run_models",
        _models,
        (
            Example("bayescomb models", "names, titles and folders"),
            Example("bayescomb models copy run1_mass", "a copy to work on"),
        ),
    ),
    Command(
        "check",
        "Validate a model; print its inputs as read, its size, correlation blocks and feasibility.",
        "run_check",
        _check,
        (
            Example(f"bayescomb check {RUN1}", "every estimate and correlation as read"),
            Example(f"bayescomb check {RUN1} --json -", "the same for programs"),
        ),
    ),
    Command(
        "profile",
        "Profile-likelihood combination at fixed coefficients.",
        "run_profile",
        _profile,
        (
            Example(f"bayescomb profile {RUN1}", "coefficients at nominal"),
            Example(f"bayescomb profile {RUN1} --coefficient LHCbJES=0.5", "one of them at another value"),
            Example(f"bayescomb profile {RUN1} --at low", "all of them at the lower end of their ranges"),
            Example(f"bayescomb profile {RUN1} --without g", "all inputs but one"),
            Example(f"bayescomb profile {RUN1} --only CMS", "one experiment"),
            Example("bayescomb profile models/ttj_rho --extraction two_masses", "a mass per experiment"),
        ),
    ),
    Command(
        "impacts",
        "Divide the uncertainty into parts: statistics, every source, every group.",
        "run_impacts",
        _impacts,
        (
            Example(f"bayescomb impacts {RUN1}", "the largest first"),
            Example(f"bayescomb impacts {RUN1} --parts held", "Convino's definition"),
        ),
    ),
    Command(
        "table",
        "Tables of inputs and results as publications print them.",
        "run_table",
        _table,
        (
            Example(f"bayescomb table {RUN1}", "sources in rows, inputs and the result in columns"),
            Example(f"bayescomb table {RUN1} --format latex --output table.tex", "for a paper"),
            Example(f"bayescomb table {RUN1} --of weights --of without", "information weights; without each input"),
            Example(f"bayescomb table {RUN1} --of groups --group 'l+jets=*lepton+jets*' --group 'dilepton=*dilepton*'", ""),
            Example(f"bayescomb table {RUN1} --scale-factor pdg", "S on the errors of the result"),
            Example(f"bayescomb table {RUN1} --of all --json averages.json", "everything in full precision"),
        ),
    ),
    Command(
        "scan",
        "Profile along the range of every coefficient.",
        "run_scan",
        _scan,
        (
            Example(f"bayescomb scan {RUN1}", "with the published shifts for comparison"),
            Example(f"bayescomb scan {RUN1} --points 3 --json -", "every point in full precision"),
        ),
    ),
    Command(
        "sample",
        "Sample the posterior and store it as netCDF.",
        "run_sample",
        _sample,
        (
            Example(f"bayescomb sample {RUN1} --output posterior.nc", "coefficients sampled over their priors"),
            Example(f"bayescomb sample {RUN1} --output posterior.nc --seed 1", "the same draws again"),
            Example(f"bayescomb sample {RUN1} --output held.nc --correlations nominal", "coefficients held"),
        ),
    ),
    Command(
        "compare",
        "Compare posterior and profile; divide the posterior variance by its origins.",
        "run_compare",
        _compare,
        (Example(f"bayescomb compare {RUN1} posterior.nc", ""),),
    ),
    Command(
        "report",
        "Write a report: one folder with a page, figures and tables.",
        "run_report",
        _report,
        (
            Example(f"bayescomb report {RUN1} posterior.nc --output report", "prints the path of the page"),
            Example(f"bayescomb report {RUN1} --output report", "without a posterior"),
        ),
    ),
    Command(
        "explore",
        "Write a page with sliders for the coefficients, which shows the exact result at each setting.",
        "run_explore",
        _explore,
        (
            Example(f"bayescomb explore {RUN1} posterior.nc --output explorer.html", "with its posterior"),
            Example(f"bayescomb explore {RUN1} --draws 0 --output explorer.html", "without a posterior, in seconds"),
        ),
    ),
    Command(
        "theory",
        "Compare the extracted mass between predictions: PDF sets, scales, rate and shape.",
        "run_theory",
        _theory,
        (Example("bayescomb theory models/ttj_rho", "every prediction of the model"),),
    ),
    Command(
        "sets",
        "Results under every assumption set.",
        "run_sets",
        _sets,
        (
            Example(f"bayescomb sets {RUN1}", "profiles"),
            Example(f"bayescomb sets {RUN1} --draws 1000 --output sets", "posteriors and figures too"),
        ),
    ),
    Command(
        "coverage",
        "Calibration on simulated data sets: pulls, coverage, ranks.",
        "run_coverage",
        _coverage,
        (
            Example(f"bayescomb coverage {RUN1} --toys 1000 --profile-only --output study", "seconds"),
            Example(f"bayescomb coverage {RUN1} --toys 300 --output calibration", "posteriors; run again to continue"),
        ),
    ),
    Command(
        "export",
        "Write a HEPData submission, with the same content as JSON and netCDF.",
        "run_export",
        _export,
        (Example(f"bayescomb export {RUN1} posterior.nc --output run1_mass.tar.gz", "the archive to upload"),),
    ),
    Command(
        "convert",
        "Write a model in another form.",
        "run_convert",
        _convert,
        (
            Example("bayescomb convert config.txt mymodel", "from Convino to model.toml with tables"),
            Example("bayescomb convert models/ttj_rho config.txt", "and back"),
        ),
    ),
    Command(
        "reference",
        "List what model.toml may hold: every key with its meaning and an example.",
        "run_reference",
        _reference,
        (
            Example("bayescomb reference", "all tables and keys"),
            Example("bayescomb reference assumption_sets.coefficients", "the keys of a coefficient"),
            Example("bayescomb reference prior", "one key"),
            Example("bayescomb reference --schema > model.schema.json", "for editors"),
        ),
    ),
    Command(
        "completion",
        "Print a script that completes commands and options in a shell.",
        "run_completion",
        _completion,
        (
            Example('eval "$(bayescomb completion bash)"', "in ~/.bashrc; zsh likewise"),
            Example("bayescomb completion fish > ~/.config/fish/completions/bayescomb.fish", ""),
        ),
    ),
)
