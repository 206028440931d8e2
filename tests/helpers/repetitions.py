"""How often a random check is repeated: a few times in ``make test``, ten times as often in ``make thorough``.

Tolerances of what is simulated are formulas of the number of repetitions, so that they follow it.
"""

THOROUGH = 10
factor = 1  # set by the conftest before any test is imported


def repetitions(n):
    """Number of repetitions of what is repeated ``n`` times by default."""
    return n * factor
