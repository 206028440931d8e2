"""JSON files of HFLAV's program combination-code: result sets, and how their systematic errors are correlated.

Imports inputs, base and what all formats share.  Start at result_sets.
"""

__all__: list[str] = []
