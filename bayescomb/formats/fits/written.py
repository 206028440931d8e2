"""The common form of a fit of another program: values, covariance and constraint terms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayescomb.base.arrays import FloatArray
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.measurements.fitted_input import named

__all__ = ["Results", "WrittenFit"]

# The parameters that are results, optionally with the observables that they measure.
Results = Sequence[str] | Mapping[str, str | Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class WrittenFit:
    """A fit as a program wrote it.

    Attributes:
        parameters: P names.
        values: shape (P,).
        covariance: shape (P, P).
        free: parameters, including results, that have no constraint term.
        left_out: parameters to leave out by default: fixed ones and template statistics.
        priors: parameter -> centre and width of its constraint term, if these are not 0 and 1.
    """

    parameters: Sequence[str]
    values: FloatArray
    covariance: FloatArray
    free: Collection[str] = ()
    left_out: Collection[str] = ()
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def measurement(
        self,
        name: str,
        experiment: str,
        *,
        results: Results,
        free: Collection[str] = (),
        left_out: Collection[str] = (),
        priors: Mapping[str, tuple[float, float]] | None = None,
        **others: Any,
    ) -> Measurement:
        """As :meth:`bayescomb.Measurement.from_fit`; the arguments override the attributes."""
        said_free = named(free, self.parameters, where=f"free of fit {name!r}")
        said_out = named(left_out, self.parameters, where=f"left_out of fit {name!r}")
        said = {*results, *said_free, *said_out, *(priors or {})}
        return Measurement.from_fit(
            name,
            experiment,
            values=self.values,
            covariance=self.covariance,
            parameters=self.parameters,
            results=results,
            free=[*said_free, *(p for p in self.free if p not in said)],
            left_out=[*said_out, *(p for p in self.left_out if p not in said)],
            priors={p: prior for p, prior in self.priors.items() if p not in said} | dict(priors or {}),
            **others,
        )
