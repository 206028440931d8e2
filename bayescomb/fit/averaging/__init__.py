"""What people who average print besides the average: information weights, parts, scale factors, results of some inputs.

Imports what fit holds besides.  Start at information, then some_inputs.
"""

__all__: list[str] = []
