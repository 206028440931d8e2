"""The content of files of averaging programs: measurements and the correlations of their sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bayescomb.base.checks import located
from bayescomb.inputs.assumptions import AssumptionSet, CorrelationBlock
from bayescomb.inputs.combination import Combination
from bayescomb.inputs.measurements import Measurement
from bayescomb.inputs.observables import Observable, Source

__all__ = ["Averaging"]


@dataclass(frozen=True, kw_only=True)
class Averaging:
    """Inputs of an average.

    Attributes:
        measurements: each with estimates of the parameters.
        blocks: correlations of the sources, one block per correlated source.
        sources: names of the sources.
        parameters: names of the parameters, in the order of the files.
    """

    measurements: tuple[Measurement, ...]
    blocks: tuple[CorrelationBlock, ...]
    sources: tuple[str, ...]
    parameters: tuple[str, ...]

    def combination(self, path: Path) -> Combination:
        """The combination of one file: every parameter is an observable, and covariances are summed as given.

        Args:
            path: the file; the combination has its name.
        """
        with located(str(path)):
            return Combination(
                name=path.stem,
                measurements=self.measurements,
                observables=tuple(Observable(name=name) for name in self.parameters),
                sources=tuple(Source(name=name) for name in self.sources),
                assumption_sets={"nominal": AssumptionSet(name="nominal", blocks=self.blocks)},
                assumptions="nominal",
                treatment="covariance",
            )
