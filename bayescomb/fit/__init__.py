"""The first inference, by minimising chi2: profile, impacts, scans, compatibility and extractions.

Imports likelihood and what is below it.  Start at profile; nothing is imported here, as most commands need one of them.
"""

__all__: list[str] = []
