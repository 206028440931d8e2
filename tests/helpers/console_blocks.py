"""Commands, files and programs in a Markdown text, and whether the commands print what the text shows."""

import re
import shlex
from dataclasses import dataclass

BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
GAP = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is (``` ```toml first/model.toml```), its text."""

    language: str
    file: str
    text: str


def blocks(text):
    """All fenced blocks of a text, in its order."""
    return [Block(language, file or "", body) for language, file, body in BLOCK.findall(text)]


def commands(block):
    """Command -> the lines below it; a line ``...`` stands for lines that are left out."""
    found = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def words(command):
    """Words of a command of ours; what follows two blanks and # is a remark."""
    parts = shlex.split(re.split(r"\s{2,}#", command)[0])
    assert parts[0] == "bayescomb", command
    return parts[1:]


def shows(shown, output):
    """Whether an output is what is shown of it: whole chunks of lines in their order, between gaps."""
    chunks, lines = [[]], [line.rstrip() for line in output.rstrip("\n").splitlines()]
    for line in shown:
        if line == GAP:
            chunks.append([])
        else:
            chunks[-1].append(line.rstrip())
    start = 0
    for i, chunk in enumerate(chunks):
        last = i == len(chunks) - 1
        places = [j for j in range(start, len(lines) - len(chunk) + 1) if lines[j : j + len(chunk)] == chunk]
        if i == 0:
            places = [j for j in places if j == 0]
        if last and chunk:
            places = [j for j in places if j + len(chunk) == len(lines)]
        if not places:
            return False
        start = places[0] + len(chunk)
    return chunks[-1] == [] or start == len(lines)
