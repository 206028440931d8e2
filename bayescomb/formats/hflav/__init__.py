"""JSON files of HFLAV's program combination-code: result sets, and how their systematic errors are correlated.

Imports inputs and what formats holds for all readers.  Start at result_sets.
"""

__all__: list[str] = []
