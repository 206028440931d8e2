"""Names of results as names of variables: what the user calls a quantity never collides with what is ours.

In a PyMC model and in a posterior every result is a variable of its own beside ``rho``, ``pull`` and the dimensions, and
netCDF has rules of its own for the names of variables.  A result keeps its name wherever that is possible.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

__all__ = ["variable_name"]

# Names of variables and dimensions of the models and posteriors, of the one potential, and of the groups, whose names
# xarray mistakes for variables when it loads a tree.
RESERVED: Final = frozenset({
    "chain", "coefficient", "conditional", "data", "draw", "energy", "estimate", "estimate_value", "nuisance",
    "observed_data", "parameter",
    "posterior", "prior", "pull", "rho", "sample", "sample_stats", "scale_correlation", "theory_nuisance", "theory_pull",
    "uncertain_size", "unconstrained", "unnormalised", "variance_scale", "white", "white_explicit", "white_nuisance",
    "white_scales", "log_likelihood", "log_likelihood_by_measurement", "measurement", "posterior_predictive",
})  # fmt: skip
# Labels of what has a coordinate ("rho[JES]"), and what PyMC appends to the variables that it transforms.
OURS: Final = re.compile(r"(rho|pull|theory_pull|variance_scale|scale)\[.*|.*__|\.{1,2}|white_explicit.*")
PREFIX: Final = "parameter "
# netCDF allows 255 bytes.
LONGEST: Final = 200


def variable_name(name: str) -> str:
    """Name of the variable that holds a result in the groups of a posterior and in a PyMC model.

    It is the name of the result, unless that is ``rho`` or another name of ours, holds a ``/``, or is longer than netCDF
    allows: then it is ``parameter`` and the name, a ``/`` written as ``%2F``.  Different names give different variables.

    Args:
        name: of an observable, mass, scale or free nuisance.

    Examples:
        >>> import bayescomb as bc
        >>> bc.variable_name("m_t"), bc.variable_name("rho"), bc.variable_name("sigma_a/sigma_b")
        ('m_t', 'parameter rho', 'parameter sigma_a%2Fsigma_b')
    """
    long = len(name.encode()) > LONGEST
    # A name that begins with the prefix would otherwise be that of another result.
    if not (long or name in RESERVED or "/" in name or name.startswith(PREFIX) or OURS.fullmatch(name)):
        return name
    if long:
        cut = name.encode()[: LONGEST // 2].decode(errors="ignore")
        name = f"{cut} {hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return PREFIX + name.replace("%", "%25").replace("/", "%2F")
