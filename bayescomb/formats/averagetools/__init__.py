"""Text tables of averagetools, S. Kluth's programs for averages: values, errors and how each source is correlated.

Imports inputs and what formats holds for all readers.  Start at table.
"""

__all__: list[str] = []
