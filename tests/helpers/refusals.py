"""A wrong input, made of a right one, and what it is asked: is it refused with the right error, does the message help?"""

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


def changed(text, old, new):
    """The text with ``new`` in place of ``old``, which occurs once; the text itself if ``old`` is empty."""
    if not old:
        return text
    assert text.count(old) == 1, f"{old!r} must occur once, it occurs {text.count(old)} times in\n{text}"
    return text.replace(old, new)


def file_editor(folder):
    """Factory of edits of the files in a folder, which it gives back.

    ``edit("left.txt", old, new)`` replaces a text that occurs once, ``edit()`` nothing; edits add up.
    """

    def edit(name="model.toml", old="", new=""):
        path = folder / name
        path.write_text(changed(path.read_text(encoding="utf-8"), old, new), encoding="utf-8")
        return folder

    return edit
