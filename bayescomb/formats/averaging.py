"""What files of programs that average hold: measurements, and how their sources are correlated."""

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
        measurements: whose estimates are of the parameters.
        blocks: correlations of the sources, one per source that is correlated.
        sources: their names.
        parameters: names, in the order in which the files have them.
    """

    measurements: tuple[Measurement, ...]
    blocks: tuple[CorrelationBlock, ...]
    sources: tuple[str, ...]
    parameters: tuple[str, ...]

    def combination(self, path: Path) -> Combination:
        """The combination of one file, every parameter an observable.

        The covariances are summed as given, as programs do that average.

        Args:
            path: of the file, whose name it gets.
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
