"""Options of the command line in groups, each for the commands in which it means something."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bayescomb.base.choices import (
    CHI2_FORMS,
    NUISANCE_VALUES,
    PARTS_WORDS,
    RANGE_ENDS,
    REPAIRS,
    SCALE_RULES,
    SHARED_NAMES,
    TREATMENTS,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "coefficients",
    "extraction",
    "inputs",
    "json_output",
    "messages",
    "model",
    "output",
    "parts",
    "path",
    "posterior",
    "scale_factor",
    "scheduler",
    "settings",
    "shared_names",
    "unblind",
]


def path(text: str) -> Path:
    """A path of an argument; its module loads with the first one."""
    from pathlib import Path

    return Path(text)


def messages(parser: argparse.ArgumentParser, *, default: object = False) -> None:
    """How much is said; the same words before a command and behind it."""
    group = parser.add_argument_group("messages").add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", default=default, help="results and errors only")
    group.add_argument("--verbose", action="store_true", default=default, help="say what happens, and every warning")


def model(parser: argparse.ArgumentParser) -> None:
    """The model."""
    parser.add_argument("model", metavar="MODEL", help="model.toml, a folder that holds one, or a Convino base file")


def posterior(parser: argparse.ArgumentParser, *, text: str = "of 'bayescomb sample'", required: bool = False) -> None:
    """A posterior behind the model."""
    number = None if required else "?"
    parser.add_argument("posterior", metavar="POSTERIOR.nc", type=path, nargs=number, help=text)


def inputs(parser: argparse.ArgumentParser) -> None:
    """Which inputs take part."""
    group = parser.add_argument_group("inputs")
    text = "without this measurement; repeatable"
    group.add_argument("--without", metavar="INPUT", action="append", help=text)
    text = "the measurements of this experiment alone; repeatable"
    group.add_argument("--only", metavar="EXPERIMENT", action="append", help=text)
    shared_names(group)
    hidden = group.add_mutually_exclusive_group()
    text = "hide central values by amounts that follow from a phrase (default: as the model says)"
    hidden.add_argument("--blind", metavar="PHRASE", help=text)
    unblind(hidden)


def shared_names(group: argparse._ActionsContainer) -> None:
    """What a name in several inputs means."""
    text = "what nuisances of one name in several inputs are: an error, or one nuisance (default: the model's, else error)"
    group.add_argument("--shared-names", choices=SHARED_NAMES, help=text)


def unblind(group: argparse._ActionsContainer) -> None:
    """The values of a blinded model."""
    group.add_argument("--unblind", metavar="PHRASE", help="the phrase of a blinded model, to see its values")


def scale_factor(parser: argparse.ArgumentParser) -> None:
    """Errors of inputs that scatter."""
    text = "multiply the errors of results whose inputs scatter by this factor (default: none is)"
    parser.add_argument("--scale-factor", choices=SCALE_RULES, help=text)


def coefficients(parser: argparse.ArgumentParser, *, of_set: bool = True) -> None:
    """What is assumed of the correlations."""
    group = parser.add_argument_group("correlations")
    if of_set:
        group.add_argument("--assumptions", metavar="SET", help="assumption set (default: the one the model names)")
        text = "another nominal value of a coefficient; repeatable"
        group.add_argument("--coefficient", metavar="NAME=VALUE", action="append", help=text)
        text = "this end of its range as nominal value of every other coefficient"
        group.add_argument("--at", choices=RANGE_ENDS, help=text)
    group.add_argument("--treatment", choices=TREATMENTS, help="treatment of the sources (default: the model's)")
    group.add_argument("--repair", choices=REPAIRS, help="repair of infeasible blocks (treatment nuisance)")


def settings(parser: argparse.ArgumentParser) -> None:
    """What chi2 is."""
    group = parser.add_argument_group("chi2")
    text = "form of chi2 (default: the model's, which is neyman if it says none)"
    group.add_argument("--chi2", choices=CHI2_FORMS, help=text)
    text = "post-fit nuisance values of the inputs (default: used)"
    group.add_argument("--nuisance-values", choices=NUISANCE_VALUES, help=text)
    text = "this observable, or without a name all, cannot be negative (default: as the model says); repeatable"
    group.add_argument("--nonnegative", metavar="OBSERVABLE", nargs="?", action="append", help=text)
    text = "relative uncertainty of the quoted size of a source (default: as the model says); repeatable"
    group.add_argument("--error-on-error", metavar="SOURCE=RELATIVE", action="append", help=text)


def extraction(parser: argparse.ArgumentParser, *, of_drop: bool = True) -> None:
    """Which mass is extracted, and from what."""
    group = parser.add_argument_group("extraction of a mass")
    text = "how it is extracted; 'none' combines the observables only"
    group.add_argument("--extraction", metavar="NAME", help=text)
    if of_drop:
        text = "not compared with the prediction; repeatable"
        group.add_argument("--drop", metavar="OBSERVABLE", action="append", help=text)


def output(
    parser: argparse.ArgumentParser, *, metavar: str, kind: str, text: str, ending: str = "", required: bool = True
) -> None:
    """Where the result goes.

    Args:
        parser: of the command.
        metavar: what stands for the path in the help.
        kind: ``file``, ``folder``, or ``either``, which an ending of the path decides.
        text: help.
        ending: of a file that may be replaced, any if it is empty.
        required: whether it has to be given.
    """
    group = parser.add_argument_group("output")
    group.add_argument("--output", metavar=metavar, type=path, required=required, help=text)
    parser.set_defaults(output_kind=kind, output_ending=ending)


def json_output(parser: argparse.ArgumentParser) -> None:
    """The result for programs."""
    group = next((g for g in parser._action_groups if g.title == "output"), None) or parser.add_argument_group("output")
    group.add_argument("--json", metavar="F", type=path, help="write the result as JSON; - is standard output")


def parts(parser: argparse.ArgumentParser) -> None:
    """How an error is divided."""
    text = "parts of the errors: propagated from the data, or what holding nuisances takes off (default: propagated)"
    parser.add_argument("--parts", choices=PARTS_WORDS, default="propagated", help=text)


def scheduler(group: argparse._ArgumentGroup) -> None:
    """Who works."""
    text = "use the workers of this Dask scheduler, e.g. tcp://host:8786"
    group.add_argument("--scheduler", metavar="ADDRESS", help=text)
