"""What ``model.toml`` may hold: every key of every table, declared once.

The readers check keys with it (:func:`bayescomb.formats.values.check_table`); the JSON schema for editors, ``bayescomb
reference`` and the page of the documentation are made of it.  A new key is one line here.  Imports inputs and base.  Start
at key, then model.
"""

from bayescomb.formats.declared.key import Key, Kind, Table
from bayescomb.formats.declared.reference import MODEL_NAME, TABLES

__all__ = ["MODEL_NAME", "TABLES", "Key", "Kind", "Table"]
