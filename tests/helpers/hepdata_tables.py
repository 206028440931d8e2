"""Submissions made for the tests in the layouts that the site takes and serves; all figures are invented."""

import io
import json
import tarfile
import warnings
import zipfile
from pathlib import Path

import yaml

EDGES = [(0.0, 50.0), (50.0, 100.0), (100.0, 200.0)]


def axis(entries, name="PT", units="GEV"):
    """An independent variable: bins, or names and numbers."""
    values = [{"low": e[0], "high": e[1]} if isinstance(e, tuple) else {"value": e} for e in entries]
    return {"header": {"name": name, "units": units} if units else {"name": name}, "values": values}


def column(values, errors=None, name="SIG", units="PB", **qualifiers):
    """A dependent variable; errors: label -> one per row: a size, or (plus, minus); a list of pairs may repeat a label."""
    pairs = list(errors.items()) if isinstance(errors, dict) else list(errors or [])
    cells = []
    for row, value in enumerate(values):
        cell = {"value": value}
        stated = [_error(label, sizes[row]) for label, sizes in pairs if sizes[row] is not None]
        cells.append(cell | ({"errors": stated} if stated else {}))
    found = {"header": {"name": name, "units": units} if units else {"name": name}, "values": cells}
    if qualifiers:
        found["qualifiers"] = [
            {"name": key.replace("SQRT_S", "SQRT(S)")}
            | ({"value": value[0], "units": value[1]} if isinstance(value, tuple) else {"value": value})
            for key, value in qualifiers.items()
        ]
    return found


def _error(label, size):
    content = {"asymerror": {"plus": size[0], "minus": size[1]}} if isinstance(size, tuple) else {"symerror": size}
    return content | ({"label": label} if label else {})


def table(axes, columns):
    return {"independent_variables": list(axes), "dependent_variables": list(columns)}


def matrix(values, entries=EDGES, name="PT", units="GEV", header="COV", matrix_units="PB**2"):
    """A matrix with a row for each pair of bins, as the site recommends."""
    n = len(entries)
    first = axis([e for e in entries for _ in range(n)], f"{name} (row)", units)
    second = axis(list(entries) * n, f"{name} (column)", units)
    cells = [float(values[i][j]) for i in range(n) for j in range(n)]
    return table([first, second], [column(cells, name=header, units=matrix_units)])


def head(name, file):
    return {
        "name": name,
        "location": "page 1",
        "description": f"{name} of a test.",
        "keywords": [{"name": "reactions", "values": ["P P --> TOP TOPBAR X"]}],
        "data_file": file,
    }


def files(tables):
    """Name -> text of a submission with these tables."""
    documents = [{"comment": "A submission made for a test."}]
    found = {}
    for i, (name, content) in enumerate(tables.items(), 1):
        documents.append(head(name, f"table_{i}.yaml"))
        found[f"table_{i}.yaml"] = yaml.safe_dump(content, sort_keys=False)
    return {"submission.yaml": yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True)} | found


def write(folder, tables):
    """A submission as a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in files(tables).items():
        Path(folder, name).write_text(text)
    return Path(folder)


def pack(path, contents, inside=""):
    """An archive of name -> text, in a folder as the site packs them."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in contents.items():
                archive.writestr(inside + name, text)
        return path
    with tarfile.open(path, "w:gz") as archive:
        for name, text in contents.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(inside + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def refusals(**place):
    """What hepdata-validator has against it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of jsonschema, in the validator
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the closing of files to the interpreter
        from hepdata_validator.full_submission_validator import FullSubmissionValidator

        validator = FullSubmissionValidator()
        validator.validate(**{key: str(value) for key, value in place.items()})
    return [m.message for messages in validator.get_messages().values() for m in messages]


def served(name, content):
    """The JSON that the site serves for a table: row by row, with shared headers and numbered labels."""

    def title(variable):
        header = variable["header"]
        return header["name"] + (f" [{header['units']}]" if header.get("units") else "")

    xs, ys = content["independent_variables"], content["dependent_variables"]
    headers = [{"name": title(x), "colspan": 1} for x in xs]
    qualifiers = {}
    for i, y in enumerate(ys):
        if i and title(ys[i - 1]) == title(y):
            headers[-1]["colspan"] += 1
        else:
            headers.append({"name": title(y), "colspan": 1})
        for q in y.get("qualifiers", []):
            text = str(q["value"]) + (f" {q['units']}" if "units" in q else "")
            listed = qualifiers.setdefault(q["name"], [])
            if listed and listed[-1]["value"] == text:
                listed[-1]["colspan"] += 1
            else:
                listed.append({"type": q["name"], "value": text, "colspan": 1, "group": i})
    rows = []
    for row in range(len(ys[0]["values"])):
        cells = []
        for i, y in enumerate(ys):
            cell = dict(y["values"][row])
            stated = [dict(e) for e in cell.get("errors", [])]
            labels = [e.get("label", "error") for e in stated]
            for k, error in enumerate(stated):
                if labels.count(labels[k]) > 1:
                    error["label"] = f"{labels[k]}_{labels[: k + 1].count(labels[k])}"
            cell["errors"] = stated or [{"symerror": 0, "hide": True}]
            cells.append(cell | {"group": i})
        rows.append({"x": [x["values"][row] for x in xs], "y": cells})
    return {
        "name": name,
        "doi": "10.17182/hepdata.0.v1/t1",
        "location": "page 1",
        "description": f"{name} of a test.",
        "qualifiers": qualifiers,
        "qualifier_order": list(qualifiers),
        "headers": headers,
        "review": [],
        "associated_files": [],
        "keywords": {"reactions": ["P P --> TOP TOPBAR X"]},
        "values": rows,
        "x_count": len(xs),
    }


def write_served(path, name, content):
    path.write_text(json.dumps(served(name, content)))
    return path
