"""Submissions of HEPData in the layouts that the site takes and serves.

* a folder, ``.zip`` or ``.tar.gz`` with ``submission.yaml`` (a document about the whole, then one per table) and the data
  files that it names; a data file that is not used may be absent;
* a folder or archive of tables without ``submission.yaml``;
* one YAML file with the whole submission, or with the data of one table;
* the JSON that the site serves for a table (one file, a list of files, or a folder or archive of them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, NoReturn

from bayescomb.base.errors import DuplicateNameError, FileFormatError, UnknownNameError
from bayescomb.base.files.writing import is_folder
from bayescomb.formats.hepdata.record.archive import Limits, is_archive, read_files, safe_name
from bayescomb.formats.hepdata.record.documents import read_json, read_yaml
from bayescomb.formats.hepdata.record.layouts import json_table, mapping, yaml_table
from bayescomb.formats.hepdata.record.tables import Table

__all__ = [
    "MAX_LISTED",
    "SUBMISSION",
    "Entry",
    "Submission",
    "listed",
    "looks_like_hepdata",
    "read_submission",
]

SUBMISSION: Final = "submission.yaml"
MAX_LISTED: Final = 40
YAML: Final = (".yaml", ".yml")
LOOKED_AT: Final = 1 << 16


def listed(names: Sequence[str]) -> str:
    """Names for a message.

    Examples:
        >>> listed(["stat", "sys"])
        "'stat', 'sys'"
    """
    return (", ".join(map(repr, names[:MAX_LISTED])) + (", ..." if len(names) > MAX_LISTED else "")) or "nothing"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A table, read when it is first used, so that a fault in one leaves the others usable.

    Attributes:
        name: name of the table.
        where: the file that holds the table.
        read: function that reads the table.
    """

    name: str
    where: str
    read: Callable[[], Table]

    @cached_property
    def table(self) -> Table:
        """The table.

        Raises:
            FileFormatError, InvalidNumberError, DuplicateNameError: the table is malformed.
        """
        return self.read()


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Tables of a record.

    Attributes:
        where: the file, folder or archive.
        entries: the tables in the order of the record, names unique.
    """

    where: str
    entries: tuple[Entry, ...]

    def table(self, name: str, *, where: str) -> Table:
        """The table of a name.

        Raises:
            UnknownNameError: there is no such table; the message lists the existing ones.
            FileFormatError, InvalidNumberError, DuplicateNameError: the table is malformed.
        """
        names = [entry.name for entry in self.entries]
        if name not in names:
            msg = f"{where}: {self.where} has no table {name!r}; it has {listed(names)}"
            raise UnknownNameError(msg)
        return self.entries[names.index(name)].table


def looks_like_hepdata(path: Path) -> bool:
    """Whether a path is a submission or a table, by its ending or by the files of the folder.

    Examples:
        >>> looks_like_hepdata(Path("HEPData-ins1-v1-yaml.zip")), looks_like_hepdata(Path("models/run1_mass"))
        (True, False)
    """
    if is_folder(path):
        return (path / SUBMISSION).is_file() or _holds_table(path)
    return is_archive(path) or path.suffix.lower() in {*YAML, ".json"}


def _holds_table(folder: Path) -> bool:
    """Whether a folder holds a table, judged by the first bytes of its files."""
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in {*YAML, ".json"} and path.is_file():
                with path.open("rb") as stream:
                    beginning = stream.read(LOOKED_AT)
                if any(sign in beginning for sign in (b"dependent_variables", b'"headers"')):
                    return True
    except OSError:
        return False  # the reader of the folder reports the error
    return False


def read_submission(path: Path | Sequence[Path], *, limits: Limits | None = None) -> Submission:
    """The tables of a submission, whatever its layout.

    Args:
        path: a folder, archive, YAML or JSON file; or a list of JSON or YAML files with a table each.
        limits: largest sizes of a folder or an archive.

    Raises:
        FileFormatError: the submission is absent, malformed or not safe to read.
        DuplicateNameError: two tables have the same name.
        InvalidNumberError: an error or a bin edge is no number.

    Examples:
        >>> import pathlib, tempfile
        >>> text = '''
        ... independent_variables: [{header: {name: PT, units: GEV}, values: [{low: 0, high: 50}]}]
        ... dependent_variables: [{header: {name: SIG, units: PB}, values: [{value: 2.0, errors: [{symerror: 5%}]}]}]'''
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "table1.yaml")
        ...     _ = path.write_text(text)
        ...     table = read_submission(path).table("table1", where="example")
        >>> table.rows, table.columns[0].cells[0].errors[0].up
        (('0 - 50',), 0.1)
    """
    if isinstance(path, Path):
        if is_folder(path) or is_archive(path):
            return _of_files(str(path), read_files(path, limits=limits))
        return _of_single(path, limits or Limits())
    parts = [_of_single(file, limits or Limits()) for file in path]
    where = ", ".join(part.where for part in parts)
    return _submission(where, [entry for part in parts for entry in part.entries])


def _submission(where: str, entries: Sequence[Entry]) -> Submission:
    if not entries:
        msg = f"{where}: no table found; give a submission of HEPData, or tables as the site serves them"
        raise FileFormatError(msg)
    places: dict[str, str] = {}
    for entry in entries:
        if entry.name in places:
            msg = f"{where}: two tables are called {entry.name!r} ({places[entry.name]}, {entry.where}); rename one of them"
            raise DuplicateNameError(msg)
        places[entry.name] = entry.where
    return Submission(where=where, entries=tuple(entries))


def _json_entry(content: bytes, where: str) -> Entry:
    table = mapping(read_json(content, where=where), where=where, needed=("name", "headers", "values"))
    return Entry(name=str(table["name"]).strip(), where=where, read=partial(json_table, table, where=where))


def _of_single(path: Path, limits: Limits) -> Submission:
    """A file on its own; data files that a ``submission.yaml`` names are looked for beside it."""
    if path.name == SUBMISSION:
        return _of_files(str(path.parent), read_files(path.parent, limits=limits))
    try:
        if path.stat().st_size > limits.file_bytes:
            msg = f"{path}: more than {limits.file_bytes} bytes, while the site takes 10 MB; check that the file is a table"
            raise FileFormatError(msg)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); correct the path"
        raise FileFormatError(msg) from error
    if path.suffix.lower() == ".json":
        return _submission(str(path), [_json_entry(content, str(path))])
    if path.suffix.lower() not in YAML:
        msg = f"{path}: the ending names no layout of HEPData; give a folder, .zip, .tar.gz, .yaml or .json"
        raise FileFormatError(msg)
    return _of_documents(str(path), path.stem, read_yaml(content, where=str(path)))


def _of_documents(where: str, stem: str, documents: Sequence[Any]) -> Submission:
    """A submission in one file, from the documents of that file."""
    entries = []
    for i, document in enumerate(documents):
        at = f"{where}, document {i + 1}"
        content = mapping(document, where=at)
        if "data_file" in content:
            msg = f"{where}: the file names data files; call it {SUBMISSION}, or give its folder"
            raise FileFormatError(msg)
        if "dependent_variables" in content:
            name = content.get("name", stem if len(documents) == 1 else None)
            entries.append(_yaml_entry(name, content, partial(mapping, content, where=at), where, at))
    return _submission(where, entries)


def _yaml_entry(name: Any, head: Mapping[str, Any], data: Callable[[], Mapping[str, Any]], file: str, where: str) -> Entry:
    if not isinstance(name, str) or not name.strip():
        msg = f"{where}: a table needs a 'name'; correct the submission"
        raise FileFormatError(msg)

    def read() -> Table:
        return yaml_table(data(), name=name.strip(), description=head.get("description"), where=file)

    return Entry(name=name.strip(), where=file, read=read)


def _of_files(where: str, files: Mapping[str, bytes]) -> Submission:
    """A folder or archive, whose ``submission.yaml`` may stand in a folder of it."""
    heads = [name for name in files if PurePosixPath(name).name == SUBMISSION]
    if len(heads) > 1:
        msg = f"{where}: {len(heads)} submissions found ({', '.join(heads[:5])}); give the folder of one of them"
        raise FileFormatError(msg)
    if not heads:
        entries = [_loose_entry(files[name], name, f"{where}: {name}") for name in files]
        if not entries:
            msg = (
                f"{where}: neither {SUBMISSION} nor a table found; give a submission of HEPData, or tables of it; a model "
                "in an archive is unpacked first"
            )
            raise FileFormatError(msg)
        return _submission(where, entries)
    folder = PurePosixPath(heads[0]).parent
    head = f"{where}: {heads[0]}"
    documents = read_yaml(files[heads[0]], where=head)
    if not any(isinstance(d, dict) and "data_file" in d for d in documents):
        return _of_documents(head, "", documents)
    entries = []
    for i, document in enumerate(documents):
        at = f"{head}, document {i + 1}"
        content = mapping(document, where=at)
        if "data_file" not in content:
            continue
        given = content["data_file"]
        if not isinstance(given, str):
            msg = f"{at}: data_file = {given!r} found, the name of a file is needed; correct the submission"
            raise FileFormatError(msg)
        file = (folder / safe_name(given, where=at)).as_posix()
        if file in files:
            data: Callable[[], Mapping[str, Any]] = partial(_single_document, files[file], f"{where}: {file}")
        else:
            data = partial(_absent, f"{at}, table {content.get('name')!r}: no file {given!r}")
        entries.append(_yaml_entry(content.get("name"), content, data, f"{where}: {file}", at))
    return _submission(where, entries)


def _absent(what: str) -> NoReturn:
    msg = f"{what}; get the whole submission from the site"
    raise FileFormatError(msg)


def _loose_entry(content: bytes, name: str, where: str) -> Entry:
    """A table without a submission; a table in YAML takes the name of its file."""
    if name.lower().endswith(".json"):
        return _json_entry(content, where)
    return _yaml_entry(PurePosixPath(name).stem, {}, partial(_single_document, content, where), where, where)


def _single_document(content: bytes, where: str) -> Mapping[str, Any]:
    documents = read_yaml(content, where=where)
    if len(documents) != 1:
        msg = f"{where}: {len(documents)} documents found, a data file has one; correct it"
        raise FileFormatError(msg)
    return mapping(documents[0], where=where, needed=("dependent_variables",))
