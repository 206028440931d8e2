"""Generalised least squares in rational arithmetic: right values for figures that doubles lose."""

import functools
from fractions import Fraction

import numpy as np


def rational(matrix):
    """Every double as the fraction that it is."""
    return [[Fraction(float(x)) for x in row] for row in np.atleast_2d(matrix)]


def product(*factors):
    return functools.reduce(
        lambda a, b: [[sum(x * b[k][j] for k, x in enumerate(row)) for j in range(len(b[0]))] for row in a], factors
    )


def transposed(a):
    return [list(column) for column in zip(*a, strict=True)]


def added(a, b, sign=1):
    return [[x + sign * y for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]


def solved(a, b):
    """a^-1 b by elimination."""
    rows = [[*p, *q] for p, q in zip(a, b, strict=True)]
    n = len(rows)
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[n:] for row in rows]


def numbers(a):
    return np.array([[float(x) for x in row] for row in a])


class ExactFit:
    """Values, covariance, chi2 and pulls of measured values x with the covariance S + G C G^T and the predictions K p."""

    def __init__(self, *, measured, design, statistical, responses, correlation):
        x, k, c = rational(np.reshape(measured, (-1, 1))), rational(design), rational(correlation)
        g = rational(-np.asarray(responses))  # what is published is predicted by K p - G lambda
        self.measured, self.design = x, k
        self.total = added(rational(statistical), product(g, c, transposed(g)))
        inverse_design = solved(self.total, k)
        self.information = product(transposed(k), inverse_design)
        self.exact_values = solved(self.information, product(transposed(inverse_design), x))
        residual = added(x, product(k, self.exact_values), -1)
        back = solved(self.total, residual)
        self.chi2 = float(product(transposed(residual), back)[0][0])
        self.values = numbers(self.exact_values)[:, 0]
        self.errors = np.sqrt(np.diag(numbers(solved(self.information, rational(np.eye(len(self.information)))))))
        self.pulls = numbers(product(c, transposed(g), back))[:, 0]

    def density(self, parameters):
        """-chi2/2 at given parameters and its gradient, up to what does not depend on them."""
        residual = added(self.measured, product(self.design, rational(np.reshape(parameters, (-1, 1)))), -1)
        back = solved(self.total, residual)
        value = -product(transposed(residual), back)[0][0] / 2
        return float(value), numbers(product(transposed(self.design), back))[:, 0]
