"""All tables of ``model.toml`` by their paths."""

from __future__ import annotations

from typing import Final

from bayescomb.formats.declared.key import Table
from bayescomb.formats.declared.measurements import MEASUREMENT_TABLES
from bayescomb.formats.declared.model import MODEL_TABLES
from bayescomb.formats.declared.predictions import PREDICTION_TABLES
from bayescomb.formats.declared.quantities import QUANTITY_TABLES
from bayescomb.formats.declared.sets import SET_TABLES

__all__ = ["MODEL_NAME", "TABLES"]

MODEL_NAME: Final = "model.toml"

# Path ("" is the file itself) -> table; the key of a table in the one above is the end of its path.
TABLES: Final[dict[str, Table]] = {
    **MODEL_TABLES,
    **QUANTITY_TABLES,
    **MEASUREMENT_TABLES,
    **SET_TABLES,
    **PREDICTION_TABLES,
}
