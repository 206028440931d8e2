"""What the command line says of itself: commands, options in groups, examples that run, completion."""

import contextlib
import re
import shlex
import shutil
import subprocess

import pytest

import bayescomb
from bayescomb.cli.command_list import COMMANDS
from bayescomb.cli.main import main
from bayescomb.cli.parser import command_parser, completion_script

# Those that end in less than a second and write nothing.
QUICK = ("models", "check", "profile", "impacts")
EXAMPLES = [example.line for command in COMMANDS for example in command.examples]


def said(capsys, *words):
    """Standard output of a command that shows something and ends."""
    with contextlib.suppress(SystemExit):
        main(list(words))
    return capsys.readouterr().out


def test_version_is_that_of_the_package(capsys):
    assert said(capsys, "--version") == f"bayescomb {bayescomb.__version__}\n"


def test_no_command_lists_the_commands(capsys):
    assert said(capsys) == said(capsys, "--help")
    listed = re.findall(r"^    ([a-z]+)(?:  |$)", said(capsys), flags=re.MULTILINE)
    assert listed == [command.name for command in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_help_has_groups_and_examples(capsys, command):
    text = said(capsys, command.name, "--help")
    assert command.text in text
    assert "\nmessages:\n" in text
    assert "\nexamples:\n" in text
    for example in command.examples:
        assert example.line in text


def test_options_stand_where_they_mean_something(capsys):
    assert "--coefficient" in said(capsys, "profile", "--help")
    assert "--coefficient" not in said(capsys, "sets", "--help")  # every set has coefficients of its own
    assert "--treatment" not in said(capsys, "compare", "--help")  # the posterior has one
    assert "--seed" not in said(capsys, "profile", "--help")


@pytest.mark.parametrize("line", [line for line in EXAMPLES if line.startswith("bayescomb ") and ">" not in line])
def test_examples_are_understood(line):
    words = shlex.split(line)[1:]
    assert command_parser(COMMANDS, version=str).parse_args(words).run
    assert "{" not in line


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in EXAMPLES if line.split()[1] in QUICK and "copy" not in line])
def test_quick_examples_run(line, capsys):
    assert main(shlex.split(line)[1:]) == 0, capsys.readouterr().err


def test_messages_go_before_a_command_and_behind_it(capsys):
    for words in (["--quiet", "models"], ["models", "--quiet"], ["--verbose", "models"], ["models", "--verbose"]):
        assert "run1_mass" in said(capsys, *words)
    with pytest.raises(SystemExit):
        main(["--quiet", "models", "--verbose"])
    assert "not allowed with argument --quiet" in capsys.readouterr().err


def completed(*words):
    """What bash offers for the last word."""
    script = f"""{completion_script("bash", COMMANDS)}
COMP_WORDS=({" ".join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; _bayescomb; echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_bash_completes_commands_options_and_choices():
    assert completed("bayescomb", "pro") == ["profile"]
    assert completed("bayescomb", "--ver") == ["--version", "--verbose"]
    assert completed("bayescomb", "profile", "m", "--coef") == ["--coefficient"]
    assert completed("bayescomb", "--quiet", "profile", "m", "--treatment", "") == ["covariance", "nuisance"]
    assert completed("bayescomb", "completion", "f") == ["fish"]
    assert completed("bayescomb", "profile", "models/") == []  # files, which bash adds itself


def test_every_shell_is_told_every_command_and_option():
    for shell in ("bash", "zsh", "fish"):
        script = completion_script(shell, COMMANDS)
        assert all(command.name in script for command in COMMANDS)
        assert "error-on-error" in script
    assert completion_script("zsh", COMMANDS).startswith("autoload")
