"""What every room stands on: errors, checks, progress, threads, and files that are complete or absent.

Imports nothing else of bayescomb.  Start at errors, which lists what can go wrong.
"""

from bayescomb.base.errors import BayescombError, InputWarning

__all__ = ["BayescombError", "InputWarning"]
