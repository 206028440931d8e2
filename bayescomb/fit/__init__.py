"""The first inference, by minimising chi2: profile, impacts, scans, compatibility and extractions.

Imports likelihood and what is below it.  Start at profile.
"""

from bayescomb.fit.compatibility import compatibility
from bayescomb.fit.impacts import impacts
from bayescomb.fit.profile import profile
from bayescomb.fit.scan import scan

__all__ = ["compatibility", "impacts", "profile", "scan"]
