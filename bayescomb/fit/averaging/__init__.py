"""Results beside an average: information weights, relative errors, scale factors, averages of some inputs.

Imports what fit holds besides.  Start at information, then some_inputs.
"""

__all__: list[str] = []
