"""Completion of words in bash, zsh and fish, made from the commands themselves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from bayescomb.base.choices import Shell
from bayescomb.cli.parser import OWN_OPTIONS, Command

__all__ = ["completion_script"]


@dataclass(frozen=True)
class _Words:
    """What can stand behind a command: its options, the words that an option or a position takes, whether files do."""

    options: dict[str, str]
    choices: dict[str, list[str]] = field(default_factory=dict)
    positions: list[str] = field(default_factory=list)


def completion_script(shell: Shell, commands: Sequence[Command]) -> str:
    """A script for one shell.

    Args:
        shell: ``bash``, ``zsh`` or ``fish``.
        commands: all of them.

    Examples:
        >>> from bayescomb.cli.command_list import COMMANDS
        >>> completion_script("bash", COMMANDS).splitlines()[-1]
        'complete -o default -F _bayescomb bayescomb'
    """
    words = {command.name: _words(command) for command in commands}
    texts = {command.name: command.text for command in commands}
    match shell:
        case "bash":
            lines = list(_bash(words))
        case "zsh":  # which understands those of bash
            lines = ["autoload -U +X bashcompinit && bashcompinit", *_bash(words)]
        case "fish":
            lines = list(_fish(words, texts))
        case _:
            assert_never(shell)
    return "\n".join([*lines, ""])


def _words(command: Command) -> _Words:
    parser = argparse.ArgumentParser(prog="bayescomb", add_help=False)
    command.fill(parser)
    found = _Words(
        options={"--help": "show the help", "--quiet": "results and errors only", "--verbose": "say what happens"}
    )
    for action in parser._actions:
        listed = [str(choice) for choice in action.choices or ()]
        if not action.option_strings:
            found.positions.extend(listed)
            continue
        for option in action.option_strings:
            found.options[option] = action.help or ""
            if listed:
                found.choices[option] = listed
    return found


def _bash(words: dict[str, _Words]) -> Iterator[str]:
    """A function that looks at the command and at the word before; files where it offers nothing."""
    yield "_bayescomb() {"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command="" offered="" i'
    yield "  for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '    case "${COMP_WORDS[i]}" in -*) ;; *) command="${COMP_WORDS[i]}"; break ;; esac'
    yield "  done"
    yield '  case "$command" in'
    yield f'    "") offered="{" ".join([*words, *OWN_OPTIONS])}" ;;'
    for name, own in words.items():
        yield f"    {name})"
        yield '      case "$before" in'
        for option, choices in own.choices.items():
            yield f'        {option}) offered="{" ".join(choices)}" ;;'
        yield f'        *) offered="{" ".join(own.positions)}"; [[ "$word" == -* ]] && offered="{" ".join(own.options)}" ;;'
        yield "      esac ;;"
    yield "  esac"
    yield '  COMPREPLY=($(compgen -W "$offered" -- "$word"))'
    yield "}"
    yield "complete -o default -F _bayescomb bayescomb"


def _fish(words: dict[str, _Words], texts: dict[str, str]) -> Iterator[str]:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    for name, text in texts.items():
        yield f"complete -c bayescomb -n __fish_use_subcommand -a {name} -d {quoted(text)}"
    for option in OWN_OPTIONS:
        yield f"complete -c bayescomb -n __fish_use_subcommand -l {option[2:]}"
    for name, own in words.items():
        behind = f"complete -c bayescomb -n '__fish_seen_subcommand_from {name}'"
        if own.positions:
            yield f"{behind} -a '{' '.join(own.positions)}'"
        for option, text in own.options.items():
            takes = f" -x -a '{' '.join(own.choices[option])}'" if option in own.choices else ""
            yield f"{behind} -l {option[2:]}{takes} -d {quoted(text)}"
