"""Options that a terminal asks for where they are missing."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from bayescomb.base.errors import OptionError

__all__ = ["asked_list"]

QUESTIONS: Final = {
    "observables": "Combined quantities, with units in brackets, separated by commas (e.g. sigma_tt [pb], sigma_t [pb])",
    "experiments": "Experiments (e.g. ATLAS, CMS)",
    "sources": "Sources of systematic uncertainties (e.g. jet energy scale, luminosity)",
}


def asked_list(options: argparse.Namespace, name: str) -> list[str]:
    """The words of an option, separated by commas; a missing option is asked for.

    Raises:
        OptionError: the option is missing, and standard input is no terminal.
    """
    given = getattr(options, name)
    if given is None:
        if sys.stdin is None or not sys.stdin.isatty():
            msg = f"--{name} is missing and there is no terminal to ask at; give it, as in bayescomb init --help, or --from"
            raise OptionError(msg)
        sys.stderr.write(f"{QUESTIONS[name]}: ")
        sys.stderr.flush()
        given = sys.stdin.readline()
    return [word.strip() for word in given.split(",") if word.strip()]
