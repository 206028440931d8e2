"""Submissions of HEPData in the layouts that the site takes and serves.

* a folder, ``.zip`` or ``.tar.gz`` with ``submission.yaml`` (a document about the whole, then one per table) and the data
  files that it names, of which those that nobody asks for may be absent;
* a folder or archive of tables without one;
* one YAML file with everything in it, or with the data of one table;
* the JSON that the site serves for a table (one file, a list of files, or a folder or archive of them).

YAML and JSON of others read as plain texts, lists and mappings: nothing is executed, and size and depth are bounded.

Every scalar stays the text it is: YAML 1.1 takes ``010`` for 8, ``1:30`` for 90 and ``no`` for a truth value, and which
texts are numbers is for the reader of a table to say.  So does the ``!!python/unicode`` that old programs wrote before every
text; no other tag is taken.  Empty documents say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, NoReturn

import yaml

from bayescomb.base.errors import DuplicateNameError, FileFormatError, UnknownNameError
from bayescomb.base.writing import is_folder
from bayescomb.formats.hepdata.record.archive import Limits, is_archive, read_files, safe_name
from bayescomb.formats.hepdata.record.layouts import json_table, mapping, yaml_table
from bayescomb.formats.hepdata.record.tables import Table

__all__ = [
    "MAX_DEPTH",
    "MAX_LISTED",
    "MAX_NODES",
    "SUBMISSION",
    "Entry",
    "Submission",
    "looks_like_hepdata",
    "read_json",
    "read_submission",
    "read_yaml",
]

SUBMISSION: Final = "submission.yaml"
MAX_LISTED: Final = 40
YAML: Final = (".yaml", ".yml")
# The site takes files of 10 MB, in which there is room for fewer.
MAX_NODES: Final = 5_000_000
# What Python 2 wrote before a text.
UNICODE: Final = "tag:yaml.org,2002:python/unicode"
# Tables nest less than ten levels deep.
MAX_DEPTH: Final = 40
LOOKED_AT: Final = 1 << 16
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A table that is read once and when it is asked for, so that a fault in one does not close the others.

    Attributes:
        name: of the table.
        where: the file that holds it.
        read: reads it.
    """

    name: str
    where: str
    read: Callable[[], Table]

    @cached_property
    def table(self) -> Table:
        """The table.

        Raises:
            FileFormatError, InvalidNumberError, DuplicateNameError: it is malformed.
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
            UnknownNameError: there is none; the message lists those that are there.
            FileFormatError, InvalidNumberError, DuplicateNameError: it is malformed.
        """
        names = [entry.name for entry in self.entries]
        if name not in names:
            listed = ", ".join(map(repr, names[:MAX_LISTED])) + (", ..." if len(names) > MAX_LISTED else "")
            msg = f"{where}: {self.where} has no table {name!r}; it has {listed}"
            raise UnknownNameError(msg)
        return self.entries[names.index(name)].table


def looks_like_hepdata(path: Path) -> bool:
    """Whether a path is a submission or table, by its name or by what is in the folder.

    Examples:
        >>> from pathlib import Path
        >>> from bayescomb.formats.hepdata.record.submission import looks_like_hepdata
        >>> looks_like_hepdata(Path("HEPData-ins1-v1-yaml.zip")), looks_like_hepdata(Path("models/run1_mass"))
        (True, False)
    """
    if is_folder(path):
        return (path / SUBMISSION).is_file() or _holds_table(path)
    return is_archive(path) or path.suffix.lower() in {*YAML, ".json"}


def _holds_table(folder: Path) -> bool:
    """Whether a file of a folder is a table, by its first bytes."""
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in {*YAML, ".json"} and path.is_file():
                with path.open("rb") as stream:
                    beginning = stream.read(LOOKED_AT)
                if any(sign in beginning for sign in (b"dependent_variables", b'"headers"')):
                    return True
    except OSError:
        return False  # which whoever reads it says
    return False


def read_submission(path: Path | Sequence[Path], *, limits: Limits | None = None) -> Submission:
    """The tables of a submission, whatever its layout.

    Args:
        path: a folder, archive, YAML or JSON file; or a list of JSON or YAML files with a table each.
        limits: what is read of a folder or an archive at most.

    Raises:
        FileFormatError: it is absent, malformed or not safe to read.
        DuplicateNameError: two tables have the same name.
        InvalidNumberError: an error or a bin edge is no number.

    Examples:
        >>> import pathlib, tempfile
        >>> from bayescomb.formats.hepdata.record.submission import read_submission
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
            msg = f"{path}: more than {limits.file_bytes} bytes, the site takes 10 MB; look at what the file is"
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
    """Everything in one file."""
    entries = []
    for i, document in enumerate(documents):
        at = f"{where}, document {i + 1}"
        content = mapping(document, where=at)
        if "data_file" in content:
            msg = f"{where}: it names data files; call it {SUBMISSION}, or give its folder"
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
    """A folder or archive; the submission may stand in a folder of it."""
    heads = [name for name in files if PurePosixPath(name).name == SUBMISSION]
    if len(heads) > 1:
        msg = f"{where}: {len(heads)} submissions found ({', '.join(heads[:5])}); give the folder of one of them"
        raise FileFormatError(msg)
    if not heads:
        entries = [_loose_entry(files[name], name, f"{where}: {name}") for name in files]
        if not entries:
            msg = f"{where}: neither {SUBMISSION} nor a table found; give a submission of HEPData, or tables of it"
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
    """A table without a submission; one in YAML has the name of its file."""
    if name.lower().endswith(".json"):
        return _json_entry(content, where)
    return _yaml_entry(PurePosixPath(name).stem, {}, partial(_single_document, content, where), where, where)


def _single_document(content: bytes, where: str) -> Mapping[str, Any]:
    documents = read_yaml(content, where=where)
    if len(documents) != 1:
        msg = f"{where}: {len(documents)} documents found, a data file has one; correct it"
        raise FileFormatError(msg)
    return mapping(documents[0], where=where, needed=("dependent_variables",))


class _TextLoader(_BASE):
    """The safe loader without any guess at what a scalar is, and with every key once."""

    yaml_implicit_resolvers: Final[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                msg = f"line {key.start_mark.line + 1}: the key {key.value!r} stands twice; keep one"
                raise DuplicateNameError(msg)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_TextLoader.add_constructor(UNICODE, lambda loader, node: loader.construct_scalar(node))


def read_yaml(content: bytes, *, where: str) -> list[Any]:
    """The documents of a YAML file.

    Args:
        content: the file.
        where: its name, for messages.

    Raises:
        FileFormatError: it is no YAML, holds a tag that would build an object, nests too deep, or its aliases stand for more
            than a file of the site can hold.
        DuplicateNameError: a key stands twice in a mapping.

    Examples:
        >>> from bayescomb.formats.hepdata.record.submission import read_yaml
        >>> read_yaml(b"{value: 010, label: no}", where="t.yaml")
        [{'value': '010', 'label': 'no'}]
    """
    try:
        _check_depth(yaml.parse(content, Loader=_TextLoader), where)
        found = []
        loader = _TextLoader(content)
        try:
            while loader.check_node():
                node = loader.get_node()
                _check_size(node, where)
                document = loader.construct_document(node)
                if document != "":
                    found.append(document)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        msg = f"{where}: no YAML of plain data ({' '.join(str(error).split())}); correct the file"
        raise FileFormatError(msg) from error
    except DuplicateNameError as error:
        msg = f"{where}: {error}"
        raise DuplicateNameError(msg) from error
    except (ValueError, RecursionError, TypeError, AttributeError) as error:  # bytes that are no text, odd tags and keys
        msg = f"{where}: cannot be read as YAML ({' '.join(str(error).split())}); correct the file"
        raise FileFormatError(msg) from error
    return found


def _check_depth(events: Iterable[yaml.Event], where: str) -> None:
    """Before any node is built, as building is recursive."""
    depth = 0
    for count, event in enumerate(events):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or count > MAX_NODES:
            found = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES} entries"
            msg = f"{where}: more than {found} found, which no table of the site has; look at what the file is"
            raise FileFormatError(msg)


def _check_size(root: yaml.Node, where: str) -> None:
    """Entries with every alias written out, which is what reading them costs."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in open_nodes:
            msg = f"{where}: an alias stands inside of what it stands for; correct the file"
            raise FileFormatError(msg)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            children = node.value if isinstance(node, yaml.SequenceNode) else [n for pair in node.value for n in pair]
            sizes[id(node)] = 1 + sum(map(size, children))
            open_nodes.remove(id(node))
            if sizes[id(node)] > MAX_NODES:
                msg = (
                    f"{where}: its aliases stand for more than {MAX_NODES} entries, which no table of the site has; look at "
                    "what the file is"
                )
                raise FileFormatError(msg)
        return sizes[id(node)]

    size(root)


def read_json(content: bytes, *, where: str) -> Any:
    """A JSON document, numbers as the texts they are.

    Raises:
        FileFormatError: it is no JSON, or nests too deep.
        DuplicateNameError: a key stands twice in an object.

    Examples:
        >>> from bayescomb.formats.hepdata.record.submission import read_json
        >>> read_json(b'{"value": 1.50}', where="t.json")
        {'value': '1.50'}
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            msg = f"{where}: the key {twice!r} stands twice; keep one"
            raise DuplicateNameError(msg)
        return found

    try:
        text = content.decode("utf-8")
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: no JSON ({' '.join(str(error).split())}); correct the file"
        raise FileFormatError(msg) from error
