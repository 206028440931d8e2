"""Errors of bayescomb: one class per kind of failure.

Every message says where the fault is (``file:line`` or a name), what was found, what is allowed and what to do, so that
bad input ends in a sentence and never in a number.

Examples:
    >>> issubclass(UnknownNameError, BayescombError)
    True
"""

import os
import sys
import warnings

__all__ = [
    "BayescombError",
    "DuplicateNameError",
    "FileFormatError",
    "FitError",
    "FormulaError",
    "InfeasibleCorrelationError",
    "InputWarning",
    "InvalidMatrixError",
    "InvalidNumberError",
    "OptionError",
    "OutputError",
    "PosteriorError",
    "RangeError",
    "UnderdeterminedError",
    "UnknownNameError",
    "WorkerError",
    "warn_input",
]


class BayescombError(Exception):
    """Base of all errors that bayescomb raises on purpose.

    Examples:
        >>> import bayescomb as bc
        >>> try:
        ...     bc.load("models/run1_mass").with_assumptions("nowhere")
        ... except bc.BayescombError as error:
        ...     print(type(error).__name__)
        UnknownNameError
    """


class InputWarning(UserWarning):
    """Something in a file is interpreted by guess; the author should check.

    Examples:
        >>> import warnings
        >>> import bayescomb as bc
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", bc.InputWarning)  # no interpretation by guess
        ...     bc.load("models/run1_mass").name
        'run1_mass'
    """


def warn_input(message: str) -> None:
    """Warn about an input; the warning points to the line outside bayescomb that made the call.

    Examples:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     warn_input("p.txt:3: [end] found where [end inputs] is needed")
        >>> caught[0].category.__name__
        'InputWarning'
    """
    package = os.path.join(sys.modules["bayescomb"].__path__[0], "")  # noqa: PTH118  # pathlib loads slowly, and help does not need it
    warnings.warn(message, InputWarning, skip_file_prefixes=(package,))


class FileFormatError(BayescombError):
    """A file is absent, unreadable or not in the form that is asked for (missing column, missing key, broken TOML)."""


class FormulaError(BayescombError):
    """A formula is not arithmetic, its units do not match, or it refers to itself."""


class InvalidNumberError(BayescombError):
    """A number is not finite, has the wrong sign, or is not a number at all."""


class InvalidMatrixError(BayescombError):
    """A matrix has the wrong shape, is not symmetric, has a wrong diagonal or an entry outside [-1, 1]."""


class UnknownNameError(BayescombError):
    """A name is used that does not exist in the model, or cannot be a name."""


class DuplicateNameError(BayescombError):
    """A name is given twice where it must be unique, or a correlation is stated twice."""


class RangeError(BayescombError):
    """A coefficient's nominal value, range and prior contradict each other."""


class InfeasibleCorrelationError(BayescombError):
    """A set of correlation coefficients leaves the set on which the model is defined."""


class UnderdeterminedError(BayescombError):
    """The inputs do not determine every observable."""


class FitError(BayescombError):
    """A numerical minimisation found no minimum, or no point at which chi2 has grown by 1."""


class OptionError(BayescombError):
    """An option has a value that is not offered, or options contradict each other."""


class OutputError(BayescombError):
    """An output cannot be written."""


class PosteriorError(BayescombError):
    """A stored posterior cannot be read, or belongs to another model or assumption set."""


class WorkerError(BayescombError):
    """A process that did part of the work died."""
