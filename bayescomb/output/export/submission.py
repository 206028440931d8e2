"""A HEPData submission from tables, written by hepdata_lib and checked by hepdata-validator."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import yaml

from bayescomb.base.errors import OptionError, OutputError
from bayescomb.output.export.tables import ABSENT, Cell, ExportColumn, ExportTable

__all__ = ["SUBMISSION", "hepdata_lib", "validate", "write_submission"]

SUBMISSION: Final = "submission.yaml"
# Significant digits that hepdata_lib keeps: 17 tell any two numbers apart, and its count can be one too small.
DIGITS: Final = 20
KEYWORDS: Final = ("cmenergies", "observables", "reactions", "phrases")


def hepdata_lib() -> ModuleType:
    """The optional package hepdata_lib, imported here because that takes a second.

    Raises:
        OutputError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of jsonschema, in the validator that it imports
            return importlib.import_module("hepdata_lib")
    except ModuleNotFoundError as error:
        msg = (
            f"the export to HEPData needs the package {error.name!r}, which is not installed; install it with "
            "python -m pip install 'bayescomb[hepdata]'"
        )
        raise OutputError(msg) from error


def write_submission(
    folder: Path,
    tables: Sequence[ExportTable],
    *,
    comment: str,
    resources: Mapping[str, str],
) -> None:
    """Write ``submission.yaml`` and a data file per table.

    Args:
        folder: an existing folder.
        tables: what is written.
        comment: abstract of the submission.
        resources: file that goes with the submission -> its description.

    Raises:
        OptionError: a keyword is of a kind that the site does not know.
        OutputError: hepdata_lib is not installed.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bayescomb.output.export.submission import validate, write_submission
        >>> from bayescomb.output.export.tables import ExportColumn, ExportTable
        >>> mass = ExportColumn(name="value", unit="GeV", values=[172.5], errors={"stat": [0.1], "syst": [0.3]})
        >>> rows = [ExportColumn(name="result", values=["m_t"])]
        >>> table = ExportTable(name="Masses", description="One mass.", rows=rows, columns=[mass])
        >>> with tempfile.TemporaryDirectory() as name:
        ...     write_submission(Path(name), [table], comment="An example.", resources={})
        ...     validate(Path(name))
        ...     sorted(path.name for path in Path(name).iterdir())
        ['masses.yaml', 'submission.yaml']
    """
    lib = hepdata_lib()
    submission = lib.Submission()
    submission.comment = comment
    for name, description in resources.items():
        submission.add_additional_resource(description, name)
    head = {
        "data_license": submission.get_license(),
        "comment": submission.comment,
        "additional_resources": submission.additional_resources,
    }
    # Submission.create_files() would do this and pack an archive, but into the working directory, whatever the folder.
    with (folder / SUBMISSION).open("w", encoding="utf-8") as stream:
        yaml.safe_dump(head, stream, default_flow_style=False, explicit_start=True)
    for table in tables:
        _table(lib, table).write_output(str(folder))


def _table(lib: ModuleType, table: ExportTable) -> Any:
    result = lib.Table(table.name)
    result.description = table.description
    result.location = "bayescomb"
    for kind, values in table.keywords.items():
        if kind not in KEYWORDS:
            msg = f"keyword {kind!r}: the site knows {', '.join(KEYWORDS)}; give one of these"
            raise OptionError(msg)
        result.keywords[kind] = list(values)
    for column in table.rows:
        result.add_variable(_variable(lib, column, independent=True))
    for column in table.columns:
        variable = _variable(lib, column, independent=False)
        for name, value, unit in (*column.qualifiers, *table.qualifiers):
            variable.add_qualifier(name, value, unit)
        result.add_variable(variable)
    return result


def _variable(lib: ModuleType, column: ExportColumn, *, independent: bool) -> Any:
    binned = any(isinstance(value, tuple) for value in column.values)
    result = lib.Variable(
        column.name,
        is_independent=independent,
        is_binned=binned,
        units=column.unit,
        values=[_shown(value) for value in column.values],
        zero_uncertainties_warning=False,  # an error of zero is intended
    )
    result.digits = DIGITS
    for label, errors in column.errors.items():
        uncertainty = lib.Uncertainty(label)
        uncertainty.values = list(errors)
        result.add_uncertainty(uncertainty)
    return result


def _shown(value: Cell) -> Cell:
    return ABSENT if value is None else value


def validate(folder: Path) -> None:
    """Validate a submission by hepdata-validator, which is installed with hepdata_lib.

    Raises:
        OutputError: the site would refuse it.
    """
    hepdata_lib()
    validator = importlib.import_module("hepdata_validator.full_submission_validator").FullSubmissionValidator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as above
        warnings.simplefilter("ignore", ResourceWarning)  # it does not close its files
        accepted = validator.validate(directory=str(folder))
    if not accepted:
        messages = validator.get_messages().items()
        found = [f"{Path(file).name}: {message.message}" for file, of_file in messages for message in of_file]
        msg = f"the site would refuse this submission: {'; '.join(found[:5])}{'; ...' if len(found) > 5 else ''}"
        raise OutputError(msg)
