"""Export of a combined result: a submission to HEPData, with the same numbers as JSON and as netCDF, in full precision.

An export is a folder or an archive; archives of the same files are identical byte for byte.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import xarray as xr

from bayescomb.base.checks import expects
from bayescomb.base.errors import OptionError, PosteriorError
from bayescomb.base.files.working_folders import ASIDE, put_in_place, umask, working_folder
from bayescomb.base.files.writing import cannot_write, is_folder, plain_value, write_json, written_beside
from bayescomb.base.numerics import single_threaded
from bayescomb.base.rounding import chi2_text, counted, p_value_text, plain
from bayescomb.fit.impacts import ImpactResult
from bayescomb.fit.profile import ProfileResult
from bayescomb.formats.exported import DATA, TREE, require_replaceable
from bayescomb.formats.hepdata.record.archive import ARCHIVES
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.serialise import SETTINGS, combination_to_json, difference
from bayescomb.output.analysis import analyse
from bayescomb.output.data.groups import export_groups, export_header
from bayescomb.output.export.hepdata_tables import add_model_tables, add_result_tables
from bayescomb.output.export.submission import hepdata_lib, validate, write_submission
from bayescomb.output.export.tables import Tables
from bayescomb.output.statements import header as header_text
from bayescomb.output.statements import origin_sentence

__all__ = ["export_hepdata", "group_data", "pack", "plain_data", "tree"]

RESOURCES: Final = {
    DATA: "All results, assumptions and inputs of this submission as plain JSON in full precision; bayescomb reads the "
    "combination from it again",
    TREE: "The same as netCDF, one group per kind of result",
}
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file knows


@expects(fit="profile", posterior="posterior")
@single_threaded
def export_hepdata(
    fit: ProfileResult,
    target: str | Path,
    *,
    posterior: xr.DataTree | None = None,
    impacts: ImpactResult | None = None,
    keywords: Mapping[str, Sequence[str | float]] | None = None,
) -> Path:
    """Write a combined result as a submission to HEPData.

    The submission holds the results with their covariance and the parts of their errors, pulls and constraints, impacts, the
    assumption set in force, goodness of fit, the origin of the inputs and, with a posterior, its summary; besides
    ``combination.json`` and ``combination.nc``, which hold the same and the inputs.  :func:`bayescomb.load` reads the
    combination from the export again.  Numbers are in full precision.  The target appears only when it is complete and
    hepdata-validator has accepted it.

    Args:
        fit: the profile of the combination.
        target: a folder (absent, empty or an earlier export), or ``NAME.tar.gz``, ``NAME.tgz`` or ``NAME.zip`` for the
            archive that the site takes.
        posterior: a converged tree of :func:`bayescomb.sample` from the same combination under the same settings.
        impacts: of the same combination and definition of parts; those of :func:`bayescomb.impacts` by default.
        keywords: kind (``"reactions"``, ``"observables"``, ``"cmenergies"`` in GeV, ``"phrases"``) -> values, for the search
            of the site; known collider energies are added.

    Returns:
        The target.

    Raises:
        OptionError: a result is at its bound 0, the target has another ending, a keyword is of an unknown kind, or the
            impacts are of another combination or definition than the profile.
        PosteriorError: the posterior has not converged, or does not belong to the profile.
        OutputError: hepdata_lib is not installed, something else is there already, the place cannot be written, or the site
            would refuse the submission.

    Examples:
        >>> import tempfile
        >>> import bayescomb as bc
        >>> combination = bc.load("models/run1_mass").only(["ATLAS"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = bc.export_hepdata(bc.profile(combination), f"{folder}/export.tar.gz")
        ...     path.name, len(bc.load(path).estimates)
        ('export.tar.gz', 6)
    """
    target = Path(target)
    archive = _is_archive(target)
    require_replaceable(target, archive=archive)
    hepdata_lib()  # fails before the work, not after it
    combination = fit.combination
    if fit.at_bound:
        msg = (
            f"{combination.name!r}: {', '.join(fit.at_bound)} at the bound 0, where a result has no covariance to export; "
            "leave it out of 'nonnegative', or report it instead"
        )
        raise OptionError(msg)
    if impacts is not None:
        _require_same(fit, impacts)
    analysis = analyse(fit, posterior, impacts_of=impacts)
    if analysis.verdict is not None and not analysis.verdict.passed:
        msg = f"{analysis.verdict.sentence}; sample with more draws, or export the profile without a posterior"
        raise PosteriorError(msg)
    header, groups = export_header(analysis), export_groups(analysis)
    tables = Tables(combination, keywords=keywords)
    add_result_tables(tables, combination, groups)
    add_model_tables(tables, combination, header, groups)
    with _staged(target) as folder:
        write_submission(
            folder,
            tables.tables,
            comment=_comment(combination, header, tables.left_out),
            resources=RESOURCES,
        )
        model = combination_to_json(combination)
        header["files"] = sorted({path.name for path in folder.iterdir()} | set(RESOURCES))
        write_json(plain_data(header, groups, model), folder / DATA)
        # In memory first: HDF5 aborts the process when the disk is full.
        (folder / TREE).write_bytes(tree(header, groups, model).to_netcdf(engine="h5netcdf"))
        validate(folder)
        if archive:
            with written_beside(target) as temporary:
                pack(folder, temporary, suffix=archive)
        else:
            folder.chmod(0o777 & ~umask())
            put_in_place(folder, target.absolute(), aside=folder.parent / ASIDE)
    return target


def _is_archive(target: Path) -> str:
    """The ending of an archive, empty for a folder.

    Raises:
        OptionError: the ending names neither.
    """
    found = next((suffix for suffix in ARCHIVES if target.name.lower().endswith(suffix)), "")
    there = is_folder(target)
    if found or there or not target.suffix:
        return "" if there else found
    endings = ", ".join(f"NAME{suffix}" for suffix in ARCHIVES)
    msg = f"{target}: the ending {target.suffix!r} names no form of an export; give a folder, or one of {endings}"
    raise OptionError(msg)


def _require_same(fit: ProfileResult, given: ImpactResult) -> None:
    """Profile and impacts belong together.

    Raises:
        OptionError: they do not.
    """
    if given.parts != fit.parts:
        msg = f"the impacts are {given.parts} parts of the errors, the profile has {fit.parts} ones; make both with the same"
        raise OptionError(msg)
    own, combination = given.combination, fit.combination
    where = difference(own, combination) or next((k for k in SETTINGS if getattr(own, k) != getattr(combination, k)), "")
    if where:
        msg = f"the impacts are of another combination than the profile (they differ in {where}); make both from the same"
        raise OptionError(msg)


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A temporary folder beside the target, gone when the block ends unless it was moved.

    Raises:
        OutputError: the place cannot be written.
    """
    try:
        with working_folder(target.absolute()) as staged:
            folder = staged / "submission"
            folder.mkdir()
            yield folder
    except OSError as error:
        raise cannot_write(target, error, what="the export cannot be written") from error


def _comment(combination: Combination, header: Mapping[str, Any], left_out: Sequence[str]) -> str:
    """Abstract of the submission."""
    goodness, run = header["goodness_of_fit"], header.get("posterior_run")
    lines = [
        f"{combination.title or combination.name}. Combined by bayescomb {header['versions'].get('bayescomb', '')}.",
        header_text(combination),
        f"Origin of the inputs: {origin_sentence(combination)}.",
    ]
    if goodness["chi2"] is not None:
        probability = "" if goodness["p_value"] is None else f", p-value {plain(p_value_text(goodness['p_value']))}"
        freedom = counted(goodness["ndf"], "degrees of freedom")
        lines.append(f"chi2 = {plain(chi2_text(goodness['chi2']))} for {freedom}{probability}.")
    if run is not None:
        lines.append(f"Posterior with seed {run.get('seed')}: {run['verdict']}; its interval is the {run['interval']}.")
    if left_out:
        lines.append(f"Too long for a table, in {DATA} and {TREE} only: {', '.join(left_out)}.")
    return "\n".join(lines)


def plain_data(header: Mapping[str, Any], groups: Mapping[str, xr.Dataset], model: str) -> dict[str, Any]:
    """Plain data of an export.

    Args:
        header: of :func:`bayescomb.output.data.groups.export_header`.
        groups: name -> labelled arrays.
        model: the combination as JSON text, see :func:`bayescomb.inputs.serialise.combination_to_json`; its inputs stand
            under ``inputs``, from which the combination can be read again.

    Examples:
        >>> import xarray as xr
        >>> from bayescomb.output.export.export import plain_data
        >>> group = xr.Dataset({"value": ("parameter", [1.5])}, {"parameter": ["x"]})
        >>> plain_data({"quotable": True}, {"results": group}, '{"name": "example"}')
        {'quotable': True, 'results': {'x': {'value': 1.5}}, 'inputs': {'name': 'example'}}
    """
    return {**header, **{name: group_data(group) for name, group in groups.items()}, "inputs": json.loads(model)}


def group_data(group: xr.Dataset) -> dict[str, Any] | list[dict[str, Any]]:
    """One entry per row, by its label where the rows have one; matrices as a mapping of row and column labels.

    NaN, which says that there is no number, becomes ``None``.

    Examples:
        >>> import xarray as xr
        >>> from bayescomb.output.export.export import group_data
        >>> group_data(xr.Dataset({"value": ("parameter", [1.5, float("nan")])}, {"parameter": ["x", "y"]}))
        {'x': {'value': 1.5}, 'y': {'value': None}}
    """
    dim = str(next(iter(group.sizes)))
    variables = {str(key): group[key] for key in (*group.coords, *group.data_vars) if key not in group.dims}
    rows: list[dict[str, Any]] = [{} for _ in range(group.sizes[dim])]
    for key, values in variables.items():
        if values.ndim == 1:
            for row, value in zip(rows, values.to_numpy(), strict=True):
                row[key] = plain_value(value)
            continue
        other = str(values.dims[1])
        labels = [str(label) for label in group[other].to_numpy()]
        for row, own in zip(rows, values.to_numpy(), strict=True):
            row[key] = {label: plain_value(value) for label, value in zip(labels, own, strict=True)}
    if dim not in group.coords:
        return rows
    return {str(label): row for label, row in zip(group[dim].to_numpy(), rows, strict=True)}


def tree(header: Mapping[str, Any], groups: Mapping[str, xr.Dataset], model: str) -> xr.DataTree:
    """The groups as one tree with the header in its attributes; an attribute that is neither text nor number is JSON text.

    Examples:
        >>> import xarray as xr
        >>> from bayescomb.output.export.export import tree
        >>> group = xr.Dataset({"value": ("parameter", [1.5])}, {"parameter": ["x"]})
        >>> tree({"quotable": True, "caveats": []}, {"results": group}, "{}").attrs
        {'quotable': 1, 'caveats': '[]', 'model': '{}'}
    """
    result = xr.DataTree.from_dict(dict(groups))
    result.attrs = {key: _attribute(value) for key, value in header.items() if value is not None} | {"model": model}
    return result


def _attribute(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, str | int | float) else json.dumps(value)


def pack(folder: Path, target: Path, *, suffix: str) -> None:
    """Pack the files of a folder, without names of users or machines and without dates.

    Args:
        folder: holds files only.
        target: the archive.
        suffix: one of :data:`bayescomb.formats.hepdata.record.archive.ARCHIVES`.

    Examples:
        >>> import tarfile, tempfile
        >>> from pathlib import Path
        >>> from bayescomb.output.export.export import pack
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = Path(place, "folder")
        ...     folder.mkdir()
        ...     _ = (folder / "submission.yaml").write_text("comment: none")
        ...     pack(folder, Path(place, "a.tar.gz"), suffix=".tar.gz")
        ...     with tarfile.open(Path(place, "a.tar.gz")) as archive:
        ...         archive.getnames()
        ['submission.yaml']
    """
    files = sorted(folder.iterdir())
    if suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes())
        return
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as packed,
    ):
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.size, info.mode = file.stat().st_size, 0o644
            with file.open("rb") as content:
                packed.addfile(info, content)
