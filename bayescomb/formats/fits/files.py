"""Fits in files, as the key ``fit`` in ``[[measurements]]`` of a model file names them; the ending chooses the reader.

``FILE`` or ``FILE:OBJECT``: ``.root`` holds a RooFitResult, ``.txt`` is TRExFitter's text, ``.csv`` a covariance, and
``.nc`` a posterior of PyMC or ArviZ.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bayescomb.base.errors import FileFormatError, OptionError
from bayescomb.formats.fits.covariance_csv import from_csv
from bayescomb.formats.fits.posterior import from_posterior
from bayescomb.formats.fits.roofit import from_roofit
from bayescomb.formats.fits.trexfitter import from_trexfitter
from bayescomb.inputs.measurements import Measurement

__all__ = ["ENDINGS", "from_file"]


def _from_netcdf(name: str, experiment: str, *, path: Path, **options: Any) -> Measurement:
    import xarray as xr

    try:
        group = xr.load_dataset(path, group="posterior", engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path}: cannot be read as netCDF with a group 'posterior' ({error})"
        raise FileFormatError(msg) from error
    return from_posterior(name, experiment, draws=group, **options)


ENDINGS: Final[dict[str, Callable[..., Measurement]]] = {
    ".root": from_roofit,
    ".txt": from_trexfitter,
    ".csv": from_csv,
    ".nc": _from_netcdf,
}


def from_file(name: str, experiment: str = "", *, file: str, folder: Path, **options: Any) -> Measurement:
    """The fit that a file holds.

    Args:
        name: name of the measurement.
        experiment: collaboration.
        file: ``FILE``, or ``FILE:OBJECT`` for an object in a ROOT file.
        folder: folder that the path is relative to.
        options: ``results`` and other arguments of :meth:`bayescomb.Measurement.from_fit`.

    Raises:
        OptionError: no reader has the ending, or an object is named in a file that is not of ROOT.
        Other bayescomb errors: as of the reader of the file.
    """
    path, _, item = file.partition(":")
    suffix = Path(path).suffix.lower()
    if suffix not in ENDINGS:
        msg = (
            f"fit = {file!r} found; allowed: NAME.root:OBJECT (a RooFitResult), NAME.txt (TRExFitter), NAME.csv (a "
            "covariance), NAME.nc (a posterior)"
        )
        raise OptionError(msg)
    if item and suffix != ".root":
        msg = f"fit = {file!r} found; an object {item!r} is allowed for a ROOT file only, leave it out"
        raise OptionError(msg)
    if item:
        options["fit"] = item
    return ENDINGS[suffix](name, experiment, path=folder / path, **options)
