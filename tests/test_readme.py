"""README and the guide: every command runs and prints what is shown, every link leads somewhere, and README stays short."""

import contextlib
import io
import re
import shlex
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import pytest

import bayescomb as bc
from bayescomb.cli.command_list import COMMANDS
from bayescomb.cli.main import main
from bayescomb.cli.parser import command_parser
from bayescomb.formats.declared import TABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = sorted(ROOT.glob("notebooks/guide/*.md"))
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
GAP = "..."
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MOST_LINES, MOST_WORDS = 135, 1100
# Words of six that a newcomer needs.
EXPLAINED = ("estimate", "source", "shift", "coefficient", "block", "feasible")


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


def output(line):
    """What a command of ours prints; it must not fail."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        code = main(words(line))
    assert code == 0, line
    return stream.getvalue()


@pytest.mark.slow
def test_readme_does_what_it_shows(tmp_path, monkeypatch, capsys):
    """Files are written, commands run and the program prints, in the order of the text and in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for block in blocks(README):
        if block.file:
            path = Path(block.file)
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for line, expected in commands(block):
                found = output(line)
                assert shows(expected, found), f"{line} prints\n{found}"
        else:
            assert block.language == "python"
            capsys.readouterr()
            exec(compile(block.text, "README.md", "exec"), {})
            printed = re.findall(r"^print\(.*\)  # (.*)$", block.text, flags=re.MULTILINE)
            found = capsys.readouterr().out.splitlines()
            assert all(shown.startswith(line) for line, shown in zip(found, printed, strict=True)), found


def test_fifteen_lines_of_the_guide_print_what_stands_below(run1_posterior, monkeypatch, capsys):
    monkeypatch.setattr(bc, "sample", lambda *_, **__: run1_posterior)
    text = (ROOT / "notebooks" / "guide" / "commands.md").read_text(encoding="utf-8")
    program, printed = re.search(r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", text, flags=re.DOTALL).groups()
    exec(compile(program, "commands.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_readme_is_short_and_explains_its_words():
    assert len(README.splitlines()) <= MOST_LINES
    assert len(README.split()) <= MOST_WORDS
    for word in EXPLAINED:
        assert f"*{word}*" in README or f"are *{word}*" in README


@pytest.mark.parametrize("path", [ROOT / "README.md", *GUIDE], ids=lambda p: p.stem)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", [ROOT / "README.md", *GUIDE], ids=lambda p: p.stem)
def test_links_to_the_web_have_the_form_of_one(path):
    """No network here: whether the pages are there is not tested."""
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in target:
            parts = urllib.parse.urlsplit(target)
            assert parts.scheme == "https", target
            assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.netloc), target
            assert parts.path == urllib.parse.quote(parts.path, safe="/%-._~"), target


def test_every_page_of_the_guide_is_linked():
    for path in GUIDE:
        assert f"notebooks/guide/{path.name}" in README, path.name


@pytest.mark.parametrize("path", GUIDE, ids=lambda p: p.stem)
def test_commands_of_the_guide_are_understood(path):
    text = path.read_text(encoding="utf-8")
    # remarks stand behind two blanks; names of commands are filled up to the longest
    for line in re.findall(r"^    (bayescomb [a-z]+(?: {1,4}\S+(?: \S+)*)?)", text, flags=re.MULTILINE):
        assert command_parser(COMMANDS, version=str).parse_args(words(line)).run, line


def test_commands_in_the_table_are_all_of_them():
    table = README.partition("## The commands")[2].partition("## In Python")[0]
    named = set(re.findall(r"`([a-z]+)`", table))
    assert named >= {command.name for command in COMMANDS} - {"reference", "completion"}


def test_shown_lines_are_whole_chunks_in_order():
    text = "a\nb\nc\nd\n"
    assert shows(["a", "b", "c", "d"], text)
    assert shows(["...", "b", "...", "d"], text)
    assert shows(["a", "..."], text)
    for wrong in (["b", "..."], ["a", "b", "d"], ["...", "c"], ["...", "c", "...", "a", "..."], ["a"]):
        assert not shows(wrong, text)


def test_keys_that_the_guide_shows_are_declared():
    """Tables of TOML in the guide hold keys that are there."""
    known = {key.name for table in TABLES.values() for key in table.own}
    for path in GUIDE:
        for block in blocks(path.read_text(encoding="utf-8")):
            if block.language == "toml":
                keys = re.findall(r"^([a-z_]+) = ", block.text, flags=re.MULTILINE)
                assert set(keys) <= known | {"method", "lumi"}, path.name  # these are sources
