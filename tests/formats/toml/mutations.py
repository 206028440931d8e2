"""Mutations of text files, as a hypothesis strategy: what a slip of the hand, an editor or a broken copy does to a model."""

import difflib
import functools
import re
import string
from pathlib import Path

from hypothesis import strategies as st

RUN1 = Path(__file__).parents[3] / "models" / "run1_mass"
NAMES = ("model.toml", "budget.csv", "correlations.csv")
WORD = re.compile(r"[A-Za-z_]\w*")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
CELL = re.compile(",[^,]*")
NUMBERS = (
    "nan", "inf", "-inf", "1e400", "1e300", "1e-300", "1e60", "1e12", "1e-12", "-1", "-0.5", "0", "0.07", "0.3", "1", "12",
    "text", "", "1_0", "1,5", "0x10", "true", '"1"', "[1]", "{}", "9" * 400,
)  # fmt: skip
# Letters that names and numbers are made of, what structures TOML and CSV, and some that a text file should not hold.
CHARACTERS = string.ascii_letters + string.digits + " .,;:-+_=#\"'\\[]{}()\n\r\t\x00\x0b\x0c\x85\u2028\ufeffé∞\ud800"


def truncate(draw, text):
    return text[: draw(st.integers(0, len(text)))]


def delete_lines(draw, text):
    lines = text.splitlines(keepends=True)
    start = draw(st.integers(0, len(lines)))
    return "".join(lines[:start] + lines[start + draw(st.integers(1, 12)) :])


def duplicate_line(draw, text):
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
    return "".join(lines)


def swap_lines(draw, text):
    lines = text.splitlines(keepends=True) or [""]
    i, j = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    lines[i], lines[j] = lines[j], lines[i]
    return "".join(lines)


def replace_characters(draw, text):
    start = draw(st.integers(0, len(text)))
    return text[:start] + draw(st.text(CHARACTERS, max_size=6)) + text[start + draw(st.integers(0, 6)) :]


def replace_number(draw, text):
    return _replace_match(draw, text, NUMBER, st.sampled_from(NUMBERS))


def delete_cell(draw, text):
    return _replace_match(draw, text, CELL, st.just(""))


def duplicate_cell(draw, text):
    matches = list(CELL.finditer(text))
    if not matches:
        return text
    match = draw(st.sampled_from(matches))
    return text[: match.end()] + match.group() + text[match.end() :]


def rename(draw, text):
    """One word into another of the file, once or everywhere."""
    words = WORD.findall(text) or ["x"]
    new = draw(st.sampled_from([*words, "", "x"]))
    if draw(st.booleans()):
        return re.sub(rf"\b{draw(st.sampled_from(words))}\b", new, text)
    return _replace_match(draw, text, WORD, st.just(new))


def _replace_match(draw, text, pattern, replacement):
    matches = list(pattern.finditer(text))
    if not matches:
        return text
    match = draw(st.sampled_from(matches))
    return text[: match.start()] + draw(replacement) + text[match.end() :]


# Numbers come thrice: they are what a file can get wrong without its form showing it.
MUTATIONS = (
    replace_number, replace_number, replace_number, truncate, delete_lines, duplicate_line, swap_lines, replace_characters,
    delete_cell, duplicate_cell, rename,
)  # fmt: skip


class ModelFiles(dict):
    """Texts of the files of a model by name, ``None`` for a file that is gone; shown as what was changed."""

    def __repr__(self):
        original = model_files()
        changes = []
        for name, text in self.items():
            old, new = ([] if t is None else t.splitlines() for t in (original[name], text))
            changes += [line[:200] for line in difflib.unified_diff(old, new, name, name, n=0, lineterm="")][:40]
        return "\n".join(["", *changes])


@functools.cache
def model_files():
    """The files of the Run 1 mass model."""
    return ModelFiles({name: (RUN1 / name).read_text(encoding="utf-8") for name in NAMES})


@st.composite
def mutated_files(draw):
    """The files of the Run 1 mass model after one or two mutations."""
    files = ModelFiles(model_files())
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        name = draw(st.sampled_from(NAMES))
        if files[name] is None or draw(st.integers(0, 50)) == 50:
            files[name] = None
        else:
            files[name] = draw(st.sampled_from(MUTATIONS))(draw, files[name])
    return files
