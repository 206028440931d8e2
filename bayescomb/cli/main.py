"""Command line: the commands with their options, and what their errors look like."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import re
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bayescomb.base.choices import (
    BACKENDS,
    CHI2_FORMS,
    NUISANCE_VALUES,
    PARTS_WORDS,
    REPAIRS,
    SCAN_POINTS,
    SHARED_NAMES,
    TREATMENTS,
)
from bayescomb.base.errors import BayescombError, InputWarning, OutputError
from bayescomb.base.rounding import counted
from bayescomb.base.writing import require_file, require_folder
from bayescomb.cli.commands import (
    DRAWS_BEHIND,
    DRAWS_PER_TOY,
    EXIT_INTERRUPTED,
    WORKERS,
    run_check,
    run_compare,
    run_convert,
    run_copy_model,
    run_coverage,
    run_explore,
    run_export,
    run_impacts,
    run_models,
    run_profile,
    run_report,
    run_sample,
    run_scan,
    run_sets,
    run_theory,
)
from bayescomb.cli.output import STANDARD, flush_output, json_alone, require_replaceable, silence_output

__all__ = ["main"]

EXIT_ERROR = 2
WARNINGS_OF_A_KIND = 3
VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")

_show_warning = warnings.showwarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``bayescomb``; those of the process by default.

    Returns:
        0, or 2 after an error, or 3 if a posterior was written that must not be used, or 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(name)s: %(message)s")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", InputWarning)
            warnings.showwarning = said = _Warnings(limit=None if options.verbose else WARNINGS_OF_A_KIND)
            try:
                _require_outputs(options)
                with json_alone() if getattr(options, "json", None) == STANDARD else contextlib.nullcontext():
                    code = int(options.command(options))
            finally:
                said.finish()
            flush_output()
            return code
    except BrokenPipeError:
        # Whoever read the output has enough of it (``| head``).
        silence_output()
        return EXIT_ERROR
    except BayescombError as error:
        sys.stderr.write(f"bayescomb: {type(error).__name__}: {error}\n")
        if isinstance(error, OutputError):
            silence_output()
        return EXIT_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("bayescomb: interrupted; files named above are complete, nothing else was written\n")
        return EXIT_INTERRUPTED


def _require_outputs(options: argparse.Namespace) -> None:
    """Minutes of work must not end at an output that cannot be written.

    Raises:
        OutputError: one of those that were asked for cannot be.
    """
    json_file, output = getattr(options, "json", None), getattr(options, "output", None)
    if json_file not in (None, STANDARD):
        require_file(json_file)
        require_replaceable(json_file, ending=".json")
    if output is not None:
        is_file = options.command in {run_sample, run_explore} or (options.command is run_export and output.suffix)
        (require_file if is_file else require_folder)(output)
        if options.command in {run_sample, run_explore}:
            require_replaceable(output, ending=".nc" if options.command is run_sample else ".html")
            if json_file is not None and json_file.resolve() == output.resolve():
                msg = f"--json {json_file}: --output goes there too; give each a file of its own"
                raise OutputError(msg)
    if options.command is run_convert:
        (require_file if options.target.suffix in {".toml", ".txt"} else require_folder)(options.target)


class _Parser(argparse.ArgumentParser):
    """A parser that says which command or option was probably meant."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        words = sys.argv[1:] if args is None else list(args)
        first = words[0] if words else ""
        if first.startswith("--") and not any(known.startswith(first) for known in self._option_string_actions):
            self.error(
                f"{first} found before the command; the command stands first, as in: bayescomb profile MODEL --json F"
            )
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            name = next((word for word in words if word in self.commands), "")
            known = self.commands[name]._option_string_actions if name else self._option_string_actions
            close = difflib.get_close_matches(rest[0].partition("=")[0], known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; 'bayescomb {name} --help' lists the options of {name}"
            self.error(f"unrecognized arguments: {' '.join(rest)}{hint if name else ''}")
        return options

    @property
    def commands(self) -> dict[str, argparse.ArgumentParser]:
        """The parsers of the commands by name."""
        found = (action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return dict(next(found, {}))

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"argument COMMAND: invalid choice: '([^']*)'", message)
        close = difflib.get_close_matches(wrong[1], self.commands, n=1) if wrong else []
        super().error(f"{message}; did you mean {close[0]!r}?" if close else message)


class _CommandParser(argparse.ArgumentParser):
    """A parser of one command, which knows the option that can take MODEL for its value."""

    words: Sequence[str] = ()

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        self.words = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        taken = "--nonnegative" in self.words and "required: MODEL" in message
        super().error(f"{message}; --nonnegative without a name stands behind MODEL" if taken else message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bayescomb", description="Combine published measurements with correlated systematic uncertainties."
    )
    parser.add_argument("--verbose", action="store_true", help="say what happens")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_CommandParser)

    def command(name: str, text: str, function: object) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("model", metavar="MODEL", help="model.toml, a folder that holds one, or a Convino base file")
        text = (
            "what nuisances of one name in several inputs are: an error, or one nuisance (default: the model's, else error)"
        )
        sub.add_argument("--shared-names", choices=SHARED_NAMES, help=text)
        sub.set_defaults(command=function)
        return sub

    def settings(sub: argparse.ArgumentParser, *, of_set: bool = True, of_drop: bool = True) -> None:
        if of_set:
            sub.add_argument("--assumptions", metavar="SET", help="assumption set (default: the one the model names)")
        sub.add_argument("--treatment", choices=TREATMENTS, help="treatment of the sources (default: the model's)")
        sub.add_argument("--repair", choices=REPAIRS, help="repair of infeasible blocks (treatment nuisance)")
        sub.add_argument(
            "--chi2", choices=CHI2_FORMS, help="form of chi2 (default: the model's, which is neyman if it says none)"
        )
        sub.add_argument(
            "--extraction", metavar="NAME", help="how the mass is extracted; 'none' combines the observables only"
        )
        if of_drop:
            text = "not compared with the prediction; repeatable"
            sub.add_argument("--drop", metavar="OBSERVABLE", action="append", help=text)
        sub.add_argument(
            "--nuisance-values", choices=NUISANCE_VALUES, help="post-fit nuisance values of the inputs (default: used)"
        )
        text = "this observable, or without a name all, cannot be negative (default: as the model says); repeatable"
        sub.add_argument("--nonnegative", metavar="OBSERVABLE", nargs="?", action="append", help=text)
        sub.add_argument(
            "--error-on-error",
            metavar="SOURCE=RELATIVE",
            action="append",
            help="relative uncertainty of the quoted size of a source (default: as the model says); repeatable",
        )

    def json_output(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", metavar="F", type=Path, help="write the result as JSON; - is standard output")

    def parts(sub: argparse.ArgumentParser) -> None:
        text = "parts of the errors: propagated from the data, or what holding nuisances takes off (default: propagated)"
        sub.add_argument("--parts", choices=PARTS_WORDS, default="propagated", help=text)

    def scheduler(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--scheduler", metavar="ADDRESS", help="use the workers of this Dask scheduler, e.g. tcp://host:8786"
        )

    sub = command("check", "Validate a model; print sizes, blocks and feasibility.", run_check)
    settings(sub, of_drop=False)
    sub = command("profile", "Profile-likelihood combination at fixed coefficients.", run_profile)
    settings(sub)
    json_output(sub)
    parts(sub)
    sub.add_argument("--minos", action="store_true", help="say how the Delta chi2 = 1 errors compare")
    sub = command("scan", "Profile at both ends of every coefficient's range.", run_scan)
    settings(sub)
    json_output(sub)
    sub.add_argument(
        "--points", type=int, default=SCAN_POINTS, metavar="N", help=f"points of each scan (default: {SCAN_POINTS})"
    )
    sub = command("impacts", "Uncertainty components of the profile.", run_impacts)
    settings(sub)
    json_output(sub)
    parts(sub)
    sub = command("sample", "Sample the posterior and store it as netCDF.", run_sample)
    settings(sub)
    json_output(sub)
    sub.add_argument("--output", metavar="F.nc", type=Path, required=True, help="where the posterior goes")
    sub.add_argument("--correlations", choices=("prior", "nominal"), default="prior", help="sample or hold the coefficients")
    sub.add_argument("--engine", choices=("marginal", "full"), default="marginal", help="integrate or sample the nuisances")
    sub.add_argument("--backend", choices=BACKENDS, default="auto", help="what draws: at once, or compiled for long runs")
    for name, default, text in (
        ("draws", 1500, "draws per chain"),
        ("tune", 500, "tuning steps per chain"),
        ("chains", 4, "chains"),
    ):
        sub.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default: {default})")
    sub.add_argument("--seed", type=int, metavar="N", help="of everything random (default: drawn and stored)")
    sub = command("compare", "Posterior beside profile.", run_compare)
    sub.add_argument("posterior", metavar="POSTERIOR.nc", type=Path)
    json_output(sub)
    sub = command("report", "One folder with a page, figures and tables.", run_report)
    sub.add_argument("posterior", metavar="POSTERIOR.nc", type=Path, nargs="?")
    settings(sub)
    parts(sub)
    sub.add_argument("--output", metavar="DIR", type=Path, required=True, help="folder of the report")
    sub = command("export", "A HEPData submission, with the same as JSON and netCDF.", run_export)
    sub.add_argument("posterior", metavar="POSTERIOR.nc", type=Path, nargs="?")
    settings(sub)
    parts(sub)
    sub.add_argument("--output", metavar="OUT", type=Path, required=True, help="a folder, or NAME.tar.gz or NAME.zip")
    text = "reactions, observables, cmenergies [GeV] or phrases; repeatable"
    sub.add_argument("--keyword", metavar="KIND=VALUE", action="append", help=text)
    sub = command("explore", "One page on which coefficients are moved and the result follows, exactly.", run_explore)
    sub.add_argument("posterior", metavar="POSTERIOR.nc", type=Path, nargs="?", help="behind the result (default: sampled)")
    settings(sub)
    sub.add_argument("--output", metavar="F.html", type=Path, required=True, help="the page")
    sub.add_argument(
        "--draws", type=int, metavar="N", help=f"per chain without POSTERIOR.nc, 0 for none (default: {DRAWS_BEHIND})"
    )
    sub.add_argument("--seed", type=int, metavar="N", help="of the sampling (default: drawn and stored)")
    sub = command("theory", "The extracted mass with other predictions side by side.", run_theory)
    settings(sub, of_drop=False)
    json_output(sub)
    sub = command("sets", "Results under every assumption set.", run_sets)
    settings(sub, of_set=False)
    json_output(sub)
    sub.add_argument(
        "--draws", type=int, default=0, metavar="N", help="sample too, N draws per chain (default: profile only)"
    )
    sub.add_argument("--seed", type=int, metavar="N", help="of the sampling (default: drawn)")
    sub.add_argument("--output", metavar="DIR", type=Path, help="folder for figures and for what was sampled, to continue")
    sub.add_argument("--workers", type=int, metavar="N", help="local processes that sample (default: this one)")
    scheduler(sub)
    sub = commands.add_parser(
        "models", help="List or copy the shipped models.", description="List or copy the shipped models."
    )
    sub.set_defaults(command=run_models)
    actions = sub.add_subparsers(metavar="ACTION")
    copy = actions.add_parser("copy", help="Copy one into a folder of your own.", description="Copy a shipped model.")
    copy.add_argument("name", metavar="NAME", help="of the model, as 'bayescomb models' lists it")
    copy.add_argument("target", metavar="DIR", nargs="?", help="folder to make (default: NAME)")
    copy.set_defaults(command=run_copy_model)
    sub = command("coverage", "Calibration on simulated data sets: pulls, coverage, ranks.", run_coverage)
    settings(sub)
    json_output(sub)
    sub.add_argument("--toys", type=int, required=True, metavar="N", help="number of data sets")
    sub.add_argument("--output", metavar="DIR", type=Path, required=True, help="folder of the study, new or to continue")
    sub.add_argument("--correlations", choices=("prior", "nominal"), default="prior", help="draw or hold the coefficients")
    sub.add_argument("--profile-only", action="store_true", help="do not sample: thousands of data sets in seconds")
    sub.add_argument("--draws", type=int, metavar="N", help=f"draws per chain (default: {DRAWS_PER_TOY})")
    sub.add_argument("--workers", type=int, metavar="N", help=f"local processes (default: {WORKERS})")
    sub.add_argument("--seed", type=int, default=1, metavar="N", help="of everything random (default: 1)")
    scheduler(sub)
    sub = command("convert", "Write a model in another form.", run_convert)
    sub.add_argument("target", metavar="OUT", type=Path, help="a folder or NAME.toml (model.toml), or NAME.txt (Convino)")
    sub.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    return parser


class _Warnings:
    """What an input holds is said like an error, a few of each kind; other warnings look as they always do."""

    def __init__(self, *, limit: int | None) -> None:
        self.limit = limit
        self.kinds: Counter[str] = Counter()

    def __call__(self, message: Warning | str, category: type[Warning], *details: object, **named: object) -> None:
        if not issubclass(category, InputWarning):
            _show_warning(message, category, *details, **named)  # type: ignore[arg-type]
            return
        # Two warnings that differ in names, numbers and places only are of one kind.
        kind = VARIES.sub("", str(message).partition(": ")[2])
        self.kinds[kind] += 1
        if self.limit is None or self.kinds[kind] <= self.limit:
            sys.stderr.write(f"bayescomb: warning: {message}\n")

    def finish(self) -> None:
        """How many more there were."""
        more = 0 if self.limit is None else sum(max(count - self.limit, 0) for count in self.kinds.values())
        if more:
            sys.stderr.write(f"bayescomb: {counted(more, 'warnings')} more of these kinds; --verbose says all\n")
