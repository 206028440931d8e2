"""Groups of options; each command takes those that have an effect in it."""

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
    """Path of an argument; ``pathlib`` is imported with the first one."""
    from pathlib import Path

    return Path(text)


def messages(parser: argparse.ArgumentParser, *, default: object = False) -> None:
    """Options for how much is printed, accepted before and after a command."""
    group = parser.add_argument_group("messages").add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", default=default, help="results and errors only")
    group.add_argument("--verbose", action="store_true", default=default, help="print what is being done, and every warning")


def model(parser: argparse.ArgumentParser) -> None:
    """The model."""
    parser.add_argument("model", metavar="MODEL", help="model.toml, a folder that holds one, or a Convino base file")


def posterior(
    parser: argparse.ArgumentParser, *, text: str = "posterior from 'bayescomb sample'", required: bool = False
) -> None:
    """A posterior, which stands after the model."""
    number = None if required else "?"
    parser.add_argument("posterior", metavar="POSTERIOR.nc", type=path, nargs=number, help=text)


def inputs(parser: argparse.ArgumentParser) -> None:
    """Which inputs take part."""
    group = parser.add_argument_group("inputs")
    text = "leave this measurement out; repeatable"
    group.add_argument("--without", metavar="INPUT", action="append", help=text)
    text = "use the measurements of this experiment alone; repeatable for several"
    group.add_argument("--only", metavar="EXPERIMENT", action="append", help=text)
    shared_names(group)
    hidden = group.add_mutually_exclusive_group()
    text = "hide the central values by amounts derived from this phrase (default: as the model says)"
    hidden.add_argument("--blind", metavar="PHRASE", help=text)
    unblind(hidden)


def shared_names(group: argparse._ActionsContainer) -> None:
    """How a nuisance name is read that several inputs use."""
    text = "a nuisance name in several inputs is an error, or the same nuisance (default: as the model says, else error)"
    group.add_argument("--shared-names", choices=SHARED_NAMES, help=text)


def unblind(group: argparse._ActionsContainer) -> None:
    """The values of a blinded model."""
    group.add_argument("--unblind", metavar="PHRASE", help="the phrase of a blinded model, to see its values")


def scale_factor(parser: argparse.ArgumentParser) -> None:
    """Larger errors where the inputs scatter too much."""
    text = "multiply the errors by this scale factor where the inputs scatter more than expected (default: none)"
    parser.add_argument("--scale-factor", choices=SCALE_RULES, help=text)


def coefficients(parser: argparse.ArgumentParser, *, of_set: bool = True) -> None:
    """Assumptions about the correlations."""
    group = parser.add_argument_group("correlations")
    if of_set:
        group.add_argument("--assumptions", metavar="SET", help="assumption set (default: as the model says)")
        text = "change the nominal value of this coefficient; repeatable"
        group.add_argument("--coefficient", metavar="NAME=VALUE", action="append", help=text)
        text = "set every other coefficient to this end of its range"
        group.add_argument("--at", choices=RANGE_ENDS, help=text)
    group.add_argument(
        "--treatment",
        choices=TREATMENTS,
        help="sum the covariances of the sources, or fit nuisances (default: as the model says)",
    )
    group.add_argument(
        "--repair", choices=REPAIRS, help="repair of blocks that are no correlation matrix; needs treatment nuisance"
    )


def settings(parser: argparse.ArgumentParser) -> None:
    """Settings of chi2."""
    group = parser.add_argument_group("chi2")
    text = "form of chi2 (default: as the model says, else neyman)"
    group.add_argument("--chi2", choices=CHI2_FORMS, help=text)
    text = "use or ignore the post-fit nuisance values of the inputs (default: as the model says, else used)"
    group.add_argument("--nuisance-values", choices=NUISANCE_VALUES, help=text)
    text = "this observable, or all if none is named, cannot be negative (default: as the model says); repeatable"
    group.add_argument("--nonnegative", metavar="OBSERVABLE", nargs="?", action="append", help=text)
    text = "relative uncertainty of the quoted size of a source (default: as the model says); repeatable"
    group.add_argument("--error-on-error", metavar="SOURCE=RELATIVE", action="append", help=text)


def extraction(parser: argparse.ArgumentParser, *, of_drop: bool = True) -> None:
    """Which mass is extracted, and from which observables."""
    group = parser.add_argument_group("extraction of a mass")
    text = "extraction of the model to use; 'none' combines the observables only (default: as the model says)"
    group.add_argument("--extraction", metavar="NAME", help=text)
    if of_drop:
        text = "do not compare this observable with the prediction; repeatable"
        group.add_argument("--drop", metavar="OBSERVABLE", action="append", help=text)


def output(
    parser: argparse.ArgumentParser, *, metavar: str, kind: str, text: str, ending: str = "", required: bool = True
) -> None:
    """File or folder of the result.

    Args:
        parser: of the command.
        metavar: placeholder of the path in the help.
        kind: ``file``, ``folder``, or ``either``: a path with an ending is a file.
        text: help.
        ending: of a file that may be replaced, any if it is empty.
        required: whether it has to be given.
    """
    group = parser.add_argument_group("output")
    group.add_argument("--output", metavar=metavar, type=path, required=required, help=text)
    parser.set_defaults(output_kind=kind, output_ending=ending)


def json_output(parser: argparse.ArgumentParser) -> None:
    """The result as JSON."""
    group = next((g for g in parser._action_groups if g.title == "output"), None) or parser.add_argument_group("output")
    group.add_argument("--json", metavar="F", type=path, help="write the result as JSON; - is standard output")


def parts(parser: argparse.ArgumentParser) -> None:
    """Definition of the parts of an error."""
    text = "parts of an error: propagated from the data, or its decrease when nuisances are held (default: propagated)"
    parser.add_argument("--parts", choices=PARTS_WORDS, default="propagated", help=text)


def scheduler(group: argparse._ArgumentGroup) -> None:
    """A Dask scheduler whose workers do the work."""
    text = "use the workers of this Dask scheduler, e.g. tcp://host:8786"
    group.add_argument("--scheduler", metavar="ADDRESS", help=text)
