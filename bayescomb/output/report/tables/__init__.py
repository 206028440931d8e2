"""Tables of a report: of the inputs, the results, the coefficients, the assumption sets and the theory.

Imports the results of the report, its words and the tables of output.  Start at results.
"""

__all__: list[str] = []
