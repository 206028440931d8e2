"""Text tables of averagetools, S. Kluth's programs for averages: values, errors and how each source is correlated.

Imports inputs, base and what all formats share.  Start at table.
"""

__all__: list[str] = []
