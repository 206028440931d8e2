r"""Shifts of published values and the predictions that follow from them: the one place for their sign in the likelihood.

A shift k is what +1 sigma of a source does to the published value, and k_minus what -1 sigma does; k(lambda) is linear on
either side of 0.  Whoever knew lambda would publish x + k(lambda) in place of x, so x is predicted by mu - k(lambda).  With
t the prediction from the observables alone,

.. math:: X = t \prod_{i\ \mathrm{relative}} \Big(1 - \frac{k_i(\lambda_i)}{x}\Big)
          \prod_{i\ \mathrm{lognormal}} \Big(1 + \frac{k_i(\pm 1)}{x}\Big)^{-|\lambda_i|}
          - \sum_{i\ \mathrm{absolute}} k_i(\lambda_i),

the form of Convino (Kieseler, EPJC 77 (2017) 792) with a lognormal factor in the usual sense, the power of a constant,
added; one that is stated by a single number is (1 + k/x)^-lambda on both sides, without a kink.  A single input thus returns
t = x + k at lambda = 1 and t = x + k_minus at lambda = -1 where the shift is absolute or lognormal; where it is relative,
Convino's factor returns x / (1 - k/x), which is x + k to first order.  A nuisance of a fitted input shifts by its distance
from the post-fit value.  Where the likelihood of an estimate is a table of points, X is warped before it is compared
(:mod:`bayescomb.inputs.measurements.likelihood_tables`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayescomb.base.arrays import BoolArray, FloatArray
from bayescomb.inputs.measurements import LikelihoodTable

__all__ = ["Derivatives", "Responses", "on_prediction", "warped"]


def on_prediction(shift: FloatArray) -> FloatArray:
    """Shift -k of the prediction for a shift k of the published value; lognormal ones are logarithms of factors.

    Examples:
        >>> on_prediction(np.array([20.0, 0.0])).tolist()
        [-20.0, 0.0]
    """
    return np.asarray(0.0 - shift)  # 0.0 - 0.0 is not -0.0


@dataclass(frozen=True, kw_only=True)
class Derivatives:
    """Derivatives of E predictions by their own t and by n nuisances.

    Attributes:
        by_t: shape (E,).
        by_t_twice: shape (E,), 0 but for likelihood tables.
        by_nuisance: shape (E, n).
        by_t_nuisance: shape (E, n).
        by_nuisances: shape (E, n, n).
    """

    by_t: FloatArray
    by_t_twice: FloatArray
    by_nuisance: FloatArray
    by_t_nuisance: FloatArray
    by_nuisances: FloatArray


@dataclass(frozen=True, kw_only=True)
class Responses:
    """Responses of E predictions to n nuisances, split by form; a form that a nuisance does not have is 0 there.

    Attributes:
        absolute_up, absolute_down: shifts of the prediction at +1 and at -1, shape (E, n).
        relative_up, relative_down: the same over the measured value, shape (E, n).
        log_up, log_down: logarithm of the prediction's factor at +1 and at -1, shape (E, n).
        centre: values at which the shifts are 0, shape (n,).
        tables: position of an estimate -> its likelihood table.
    """

    absolute_up: FloatArray
    absolute_down: FloatArray
    relative_up: FloatArray
    relative_down: FloatArray
    log_up: FloatArray
    log_down: FloatArray
    centre: FloatArray
    tables: Mapping[int, LikelihoodTable] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        up: FloatArray,
        down: FloatArray,
        *,
        forms: list[str],
        measured: FloatArray,
        centre: FloatArray,
        tables: Mapping[int, LikelihoodTable],
    ) -> Responses:
        """Responses from the shifts of the published values at +1 and -1.

        Args:
            up: k, shape (E, n), in the units of the estimates.
            down: k_minus, shape (E, n), likewise.
            forms: ``absolute``, ``relative`` or ``lognormal``, n of them.
            measured: values of the estimates, shape (E,).
            centre: shape (n,).
            tables: position of an estimate -> its likelihood table.
        """
        form = np.array(forms, dtype=object)
        scale = np.where(measured == 0, 1.0, measured)[:, None]
        is_form = {name: (form == name).astype(float) for name in ("absolute", "relative", "lognormal")}
        # A nuisance of another form would have no effect.
        assert np.all(sum(is_form.values()) == 1), f"a form of {forms} has no response here"
        log_up = np.log1p(up / scale * is_form["lognormal"])
        both = down != -up
        log_down = np.where(both, np.log1p(np.where(both, down / scale, 0.0) * is_form["lognormal"]), -log_up)
        return cls(
            absolute_up=on_prediction(up * is_form["absolute"]),
            absolute_down=on_prediction(down * is_form["absolute"]),
            relative_up=on_prediction(up / scale * is_form["relative"]),
            relative_down=on_prediction(down / scale * is_form["relative"]),
            log_up=on_prediction(log_up),
            log_down=on_prediction(log_down),
            centre=centre,
            tables=tables,
        )

    @property
    def kinked(self) -> BoolArray:
        """Nuisances with different slopes on the two sides, shape (n,)."""
        pairs = (
            (self.absolute_up, self.absolute_down),
            (self.relative_up, self.relative_down),
            (self.log_up, self.log_down),
        )
        return np.any([(up != -down).any(axis=0) for up, down in pairs], axis=0)

    def predict(self, t: Any, nuisances: Any, *, positive: Any, xp: Any = np) -> Any:
        """X, shape (E,), for numpy arrays or, with ``xp`` the module ``pytensor.tensor``, for symbols.

        Args:
            t: predictions from the observables alone, shape (E,).
            nuisances: shape (n,).
            positive: on which side of 0 each nuisance is, shape (n,); the other side's slope continues beyond 0.
            xp: ``numpy`` or ``pytensor.tensor``.
        """
        value = nuisances - self.centre

        def slope(up: FloatArray, down: FloatArray) -> Any:
            return xp.where(positive, up, -down)

        factor = xp.prod(1 + slope(self.relative_up, self.relative_down) * value, axis=1)
        power = xp.exp(xp.sum(slope(self.log_up, self.log_down) * value, axis=1))
        predicted = t * factor * power + xp.sum(slope(self.absolute_up, self.absolute_down) * value, axis=1)
        return warped(predicted, self.tables, xp=xp) if self.tables else predicted

    def derivatives(self, t: FloatArray, nuisances: FloatArray, *, positive: BoolArray) -> Derivatives:
        """First and second derivatives of :meth:`predict`."""
        value = nuisances - self.centre
        absolute = np.where(positive, self.absolute_up, -self.absolute_down)
        relative = np.where(positive, self.relative_up, -self.relative_down)
        log = np.where(positive, self.log_up, -self.log_down)
        terms = 1 + relative * value
        # A factor of exactly 0 is many sigma away; there the quotients below only need to stay finite.
        terms = np.where(terms == 0, 1e-300, terms)
        by_t = terms.prod(axis=1) * np.exp((log * value).sum(axis=1))
        logarithmic = relative / terms + log  # d log(factor) / d lambda
        by_t_nuisance = by_t[:, None] * logarithmic
        scale = (t * by_t)[:, None]
        curvature = np.zeros((len(t), len(value), len(value)))
        if logarithmic.any():  # absolute shifts have none, and may be hundreds
            curvature = logarithmic[:, :, None] * logarithmic[:, None, :]
            index = np.arange(len(value))
            curvature[:, index, index] -= (relative / terms) ** 2
        found = Derivatives(
            by_t=by_t,
            by_t_twice=np.zeros(len(t)),
            by_nuisance=scale * logarithmic + absolute,
            by_t_nuisance=by_t_nuisance,
            by_nuisances=scale[:, :, None] * curvature,
        )
        predicted = t * by_t + (absolute * value).sum(axis=1)
        for i, table in self.tables.items():
            _through(found, i, *table.derivatives(predicted[i]))
        return found


def warped(predicted: Any, tables: Mapping[int, LikelihoodTable], *, xp: Any = np) -> Any:
    """The predictions as they are compared with the values of E estimates: warped where the likelihood is a table.

    Args:
        predicted: of the numbers themselves, shape (E,).
        tables: position -> table.
        xp: ``numpy`` or ``pytensor.tensor``.
    """
    if xp is np:
        found = np.array(predicted, dtype=float)
        for i, table in tables.items():
            found[i] = table.warped(found[i])
        return found
    for i, table in tables.items():
        predicted = xp.set_subtensor(predicted[i], table.warped(predicted[i], xp=xp))
    return predicted


def _through(found: Derivatives, i: int, slope: float, bend: float) -> None:
    """Chain rule in place: derivatives of prediction i become those of a function of it with this slope and bend."""
    by_t, by_nuisance = float(found.by_t[i]), found.by_nuisance[i].copy()
    found.by_t_twice[i] = bend * by_t**2
    found.by_t_nuisance[i] = slope * found.by_t_nuisance[i] + bend * by_t * by_nuisance
    found.by_nuisances[i] = slope * found.by_nuisances[i] + bend * np.outer(by_nuisance, by_nuisance)
    found.by_t[i] = slope * by_t
    found.by_nuisance[i] = slope * by_nuisance
