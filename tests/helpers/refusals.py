"""The question that every wrong input is asked: is it refused with the right error, and does the message help?"""

from contextlib import contextmanager

import pytest

from bayescomb import BayescombError


@contextmanager
def refused(error, *said):
    """Something inside raises exactly this error class, with all these fragments (where, what was found, what to do)."""
    with pytest.raises(BayescombError) as caught:
        yield caught
    message = str(caught.value)
    assert type(caught.value) is error, f"{type(caught.value).__name__}: {message}"
    missing = [fragment for fragment in said if fragment not in message]
    assert not missing, f"{missing} not in {message!r}"
