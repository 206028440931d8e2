"""Export of a combined result: a submission to HEPData, with the same content as plain JSON and as netCDF."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import xarray as xr

from bayescomb.beside import ASIDE, put_in_place, umask, working_folder
from bayescomb.checks import expects
from bayescomb.errors import OptionError
from bayescomb.export_archive import pack
from bayescomb.export_data import plain_data, tree
from bayescomb.export_groups import export_groups, export_header
from bayescomb.export_model_tables import add_model_tables
from bayescomb.export_reading import DATA, TREE, require_replaceable
from bayescomb.export_result_tables import add_result_tables
from bayescomb.export_submission import hepdata_lib, validate, write_submission
from bayescomb.export_tables import Tables, origin
from bayescomb.hepdata_archive import ARCHIVES
from bayescomb.impacts import ImpactResult
from bayescomb.impacts import impacts as impacts_of
from bayescomb.inputs import Combination
from bayescomb.outputs import cannot_write
from bayescomb.profile import ProfileResult
from bayescomb.rounding import chi2_text, counted, p_value_text, plain
from bayescomb.serialise import SETTINGS, combination_to_json, difference
from bayescomb.storage import write_json, written_beside
from bayescomb.text import header as header_text
from bayescomb.threads import single_threaded

__all__ = ["export_hepdata"]

RESOURCES: Final = {
    DATA: "All results, assumptions and inputs of this submission as plain JSON in full precision; bayescomb reads the "
    "combination from it again",
    TREE: "The same as netCDF, one group per kind of result",
}


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
    combination from the export again.  Numbers are in full precision.  hepdata-validator has accepted it before it appears,
    whole, in its place.

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
        OptionError: the target has another ending, a keyword is of an unknown kind, or the impacts are of another
            combination or definition than the profile.
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
    hepdata_lib()  # rather now than after the work
    combination = fit.combination
    found = _impacts(fit, impacts)
    header, groups = export_header(fit, found), export_groups(fit, found)
    if posterior is not None:
        from bayescomb.export_posterior import converged, posterior_groups, posterior_header

        judged = converged(posterior)
        groups |= posterior_groups(posterior, fit, judged)
        header["posterior_run"] = posterior_header(posterior, judged)
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
        # In memory first: HDF5 that finds its disk full ends the process.
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
    is_folder = os.path.isdir(target)  # noqa: PTH112 - Path.is_dir() raises for some names
    if found or is_folder or not target.suffix:
        return "" if is_folder else found
    endings = ", ".join(f"NAME{suffix}" for suffix in ARCHIVES)
    msg = f"{target}: the ending {target.suffix!r} names no form of an export; give a folder, or one of {endings}"
    raise OptionError(msg)


def _impacts(fit: ProfileResult, given: ImpactResult | None) -> ImpactResult:
    combination = fit.combination
    if given is None:
        return impacts_of(combination, parts=fit.parts)
    if given.parts != fit.parts:
        msg = f"the impacts are {given.parts} parts of the errors, the profile has {fit.parts} ones; make both with the same"
        raise OptionError(msg)
    own = given.combination
    where = difference(own, combination) or next((k for k in SETTINGS if getattr(own, k) != getattr(combination, k)), "")
    if where:
        msg = f"the impacts are of another combination than the profile (they differ in {where}); make both from the same"
        raise OptionError(msg)
    return given


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
        f"Origin of the inputs: {origin(combination)}.",
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
