"""Who measured what as one table, a row per estimate and a column per source: from files, pandas or Python.

Imports measurements and assumptions.  Start at budget.
"""

from bayescomb.inputs.budget.budget import (
    BUDGET_COLUMNS,
    OPTIONAL_BUDGET_COLUMNS,
    Budget,
    BudgetRow,
    budget_of,
    check_source_columns,
    nuisance_name,
    unstated_pairs,
)

__all__ = [
    "BUDGET_COLUMNS",
    "OPTIONAL_BUDGET_COLUMNS",
    "Budget",
    "BudgetRow",
    "budget_of",
    "check_source_columns",
    "nuisance_name",
    "unstated_pairs",
]
