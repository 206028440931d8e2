"""Mutated Convino file sets from plain random numbers, fast enough for a hundred thousand of them, in memory."""

import os
import random
import re

from convino_files import FILES

from bayescomb.base.errors import FileFormatError

WORD = re.compile(r"[A-Za-z_]\w*")
NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?![\w.])")
NUMBERS = (
    "nan", "inf", "-inf", "1e400", "1e300", "1e-300", "1e60", "1e59", "1e-59", "-1", "-0.5", "0", "0.3", "1", "2", "3",
    "1e6", "12;", "text", "", "1_0", "1,5", "0x10", "(+5-3)", "(+3e-1-2e-1)", "(0.5)", "(0.1 & -1 : 1)", "True", "9" * 400,
)  # fmt: skip
CHARACTERS = "abz_09 .,;:-+=#&!\"'\\[](){}\n\r\t\x00\x0b\x0c\x85\u2028\ufeffé∞"
NAMES = ("base.txt", "left.txt", "right.txt", "more.txt")
LINES = (
    "[hessian]", "[end hessian]", "[correlation matrix]", "[not fitted]", "[end not fitted]", "[systematics]", "[estimates]",
    "[end estimates]", "[nuisance values]", "[global]", "[end correlations]", "[unknown]", "# [hessian]", "a sentence",
    "#!FILE = more.txt", "#!FILE = base.txt", "#!FILE = right.txt", "#!FILE =", "#!FILE = absent.txt",
    "#!FILE = ../model/more.txt",
    "x = y", "=", "+", "r_scale = (1) l_scale", "r_scale = (1) l_scale + (0.5 & 0 : 1) l_model", "r_mass", "stat",
    "l_scale = free",
    "name_2 = r_mass", "n_estimates = 1", "file2 = more.txt", "(", ")", "r_scale (1) 1",
)  # fmt: skip


def read_from(files):
    """What stands in for reading a file: looks it up among the texts."""

    def read_text(path):
        name = os.path.relpath(path, "model")
        if files.get(name) is None:
            msg = f"{path}: no such file; correct the path"
            raise FileFormatError(msg)
        return files[name]

    return read_text


def lines_of(text):
    return text.splitlines(keepends=True) or [""]


def truncate(rng, text):
    return text[: rng.randrange(len(text) + 1)]


def delete_lines(rng, text):
    lines = lines_of(text)
    start = rng.randrange(len(lines))
    del lines[start : start + rng.choice((1, 1, 1, 2, 5, 12))]
    return "".join(lines)


def duplicate_line(rng, text):
    lines = lines_of(text)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return "".join(lines)


def insert_line(rng, text):
    lines = lines_of(text)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(LINES) + "\n")
    return "".join(lines)


def swap_lines(rng, text):
    lines = lines_of(text)
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "".join(lines)


def shuffle_lines(rng, text):
    lines = lines_of(text)
    start = rng.randrange(len(lines))
    part = lines[start : start + rng.choice((3, 5, 100))]
    rng.shuffle(part)
    lines[start : start + len(part)] = part
    return "".join(lines)


def join_lines(rng, text):
    i = rng.randrange(len(text) + 1)
    return text[:i] + text[i:].replace("\n", rng.choice((" ", "", "\\")), 1)


def replace_characters(rng, text):
    start = rng.randrange(len(text) + 1)
    new = "".join(rng.choices(CHARACTERS, k=rng.randrange(5)))
    return text[:start] + new + text[start + rng.randrange(5) :]


def replace_number(rng, text):
    return replace_match(rng, text, NUMBER, rng.choice(NUMBERS))


def repeat_number(rng, text):
    matches = list(NUMBER.finditer(text))
    if not matches:
        return text
    match = rng.choice(matches)
    return text[: match.end()] + " " + match.group() + text[match.end() :]


def rename(rng, text):
    """One word into another of the files, once or everywhere."""
    words = WORD.findall(text) or ["x"]
    new = rng.choice((rng.choice(words), rng.choice(WORD.findall(FILES[rng.choice(NAMES)])), "", "x", "stat"))
    if rng.random() < 0.5:
        return re.sub(rf"\b{rng.choice(words)}\b", new, text)
    return replace_match(rng, text, WORD, new)


def replace_match(rng, text, pattern, new):
    matches = list(pattern.finditer(text))
    if not matches:
        return text
    match = rng.choice(matches)
    return text[: match.start()] + new + text[match.end() :]


def blanks(rng, text):
    return text.replace(rng.choice(("  ", " ", " = ", "\n")), rng.choice(("\t", "", "\r\n", "\r", " \n", "\u00a0")))


MUTATIONS = (
    replace_number, replace_number, replace_number, rename, rename, truncate, delete_lines, delete_lines, duplicate_line,
    insert_line, insert_line, swap_lines, shuffle_lines, join_lines, replace_characters, replace_characters, repeat_number,
    blanks,
)  # fmt: skip


def mutated(seed, original=FILES):
    """The files after one to three mutations; a file that is gone is ``None``."""
    rng = random.Random(seed)
    files = dict(original)
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(NAMES)
        if files[name] is None or rng.random() < 0.01:
            files[name] = None
        elif rng.random() < 0.01:
            files[name] = files[rng.choice(NAMES)]
        else:
            files[name] = rng.choice(MUTATIONS)(rng, files[name])
    return files
