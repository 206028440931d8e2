"""Readers of an export that know nothing of the code that wrote it."""

import warnings
from pathlib import Path

import yaml


def accepted(*, directory=None, archive=None):
    """Messages of hepdata-validator, none if it accepts the submission."""
    with warnings.catch_warnings():
        # jsonschema deprecates a class that the validator uses; the validator leaves the closing of files to the interpreter
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", ResourceWarning)
        from hepdata_validator.full_submission_validator import FullSubmissionValidator

        validator = FullSubmissionValidator()
        passed = validator.validate(
            directory=None if directory is None else str(directory), archive=None if archive is None else str(archive)
        )
    messages = [m.message for of_file in validator.get_messages().values() for m in of_file]
    assert passed == (not messages)
    return messages


class Submission:
    """A submission folder: ``head``, and by table name its document and its data."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.head, *documents = yaml.safe_load_all((self.folder / "submission.yaml").read_text(encoding="utf-8"))
        self.documents = {d["name"]: d for d in documents}
        self.tables = {
            name: yaml.safe_load((self.folder / d["data_file"]).read_text(encoding="utf-8"))
            for name, d in self.documents.items()
        }

    def rows(self, table, column=0):
        """Names of the rows, or (low, high) of bins."""
        values = self.tables[table]["independent_variables"][column]["values"]
        return [v["value"] if "value" in v else (v["low"], v["high"]) for v in values]

    def columns(self, table):
        """Heading -> variable."""
        return {v["header"]["name"]: v for v in self.tables[table]["dependent_variables"]}

    def values(self, table, column):
        return [v["value"] for v in self.columns(table)[column]["values"]]

    def errors(self, table, column, label):
        entries = [{e["label"]: e["symerror"] for e in v.get("errors", ())} for v in self.columns(table)[column]["values"]]
        return [entry.get(label) for entry in entries]
