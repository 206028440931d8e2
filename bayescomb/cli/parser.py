"""Parsers of the command line, with advice on words that they do not know, and the completion of words in shells."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn, assert_never

from bayescomb.base.choices import Shell
from bayescomb.cli.options import messages

__all__ = ["OWN_OPTIONS", "Command", "Example", "command_parser", "completion_script"]

OWN_OPTIONS: Final = ("--help", "--version", "--quiet", "--verbose")
# Options that take NAME=VALUE.
BY_NAME: Final = ("--coefficient", "--error-on-error")


class Example(NamedTuple):
    """A line to type, and its result."""

    line: str
    text: str


class Command(NamedTuple):
    """One command.

    Attributes:
        name: what is typed.
        text: its purpose, one sentence.
        run: name of its function in :mod:`bayescomb.cli.commands`.
        fill: adds its arguments to a parser.
        examples: shown below its help; tests run them.
    """

    name: str
    text: str
    run: str
    fill: Callable[[argparse.ArgumentParser], None]
    examples: tuple[Example, ...] = ()


def command_parser(commands: Sequence[Command], *, version: Callable[[], str]) -> argparse.ArgumentParser:
    """The parser of ``bayescomb``; the arguments of a command are added when it is used."""
    parser = _Parser(
        prog="bayescomb",
        description="Combine published measurements with correlated systematic uncertainties.",
        formatter_class=_Formatter,
        epilog="'bayescomb COMMAND --help' shows the options of a command, with examples.",
    )
    parser.add_argument("--version", action=_Version, version_of=version)
    messages(parser)
    parser.set_defaults(run="")
    listed = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_CommandParser)
    for command in commands:
        own = listed.add_parser(command.name, help=command.text, add_help=False)
        own.command = command
    return parser


def _closest(word: str, known: Iterable[str]) -> list[str]:
    import difflib  # for a typing error alone

    return difflib.get_close_matches(word, list(known), n=1)


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal; argparse would import ``shutil`` and its archive modules to ask for the width."""

    def __init__(self, prog: str) -> None:
        columns = os.environ.get("COLUMNS", "")
        try:
            width = int(columns) if columns.isdecimal() and int(columns) else os.get_terminal_size(1).columns
        except (OSError, ValueError):
            width = 80
        super().__init__(prog, width=width - 2)


class _Version(argparse.Action):
    """Prints the version, which is imported for this alone."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, version_of: Callable[[], str]) -> None:
        text = "show the version and exit"
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=text)
        self.version_of = version_of

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(f"bayescomb {self.version_of()}\n")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """A parser that suggests the command or option that was probably meant."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        words = sys.argv[1:] if args is None else list(args)
        first = words[0] if words else ""
        if first.startswith("--") and not any(known.startswith(first) for known in self._option_string_actions):
            self.error(f"{first} found before the command; the command comes first, as in: bayescomb profile MODEL --json F")
        options, rest = self.parse_known_args(args, namespace)
        if rest:
            name = next((word for word in words if word in self.commands), "")
            before = words[: words.index(rest[0])][-2:]
            if len(before) == 2 and before[0] in BY_NAME:
                self.error(f"{before[1]} {rest[0]}: a name and its value are one word, {before[0]} {before[1]}={rest[0]}")
            known = self.commands[name]._option_string_actions if name else self._option_string_actions
            close = _closest(rest[0].partition("=")[0], known)
            hint = f"; did you mean {close[0]}?" if close else f"; 'bayescomb {name} --help' lists the options of {name}"
            self.error(f"unrecognized arguments: {' '.join(rest)}{hint if name else ''}")
        return options

    @property
    def commands(self) -> dict[str, argparse.ArgumentParser]:
        """The parsers of the commands by name."""
        found = (action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return dict(next(found, {}))

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"argument COMMAND: invalid choice: '([^']*)'", message)
        if wrong:
            close = _closest(wrong[1].lower(), self.commands)
            hint = f"did you mean {close[0]!r}?" if close else "'bayescomb' alone lists the commands"
            if wrong[1] == "help":
                hint = "'bayescomb COMMAND --help' shows the options of a command, 'bayescomb' alone lists the commands"
            elif not close and os.path.exists(wrong[1]):  # noqa: PTH110  # pathlib takes longer to load than help to print
                hint = f"the command comes before the model, as in: bayescomb profile {wrong[1]}"
            message = f"no command {wrong[1]!r}; {hint}"
        super().error(message)


class _CommandParser(argparse.ArgumentParser):
    """The parser of one command, filled when it is used; it explains an option that has taken MODEL as its value."""

    command: Command | None = None
    words: Sequence[str] = ()

    def filled(self) -> _CommandParser:
        """The parser with the arguments of its command."""
        command, self.command = self.command, None
        if command is not None:
            self.formatter_class = _Formatter
            self.description = command.text
            self.add_argument("-h", "--help", action="help", help="show this and exit")
            command.fill(self)
            messages(self, default=argparse.SUPPRESS)
            self.set_defaults(run=command.run)
            if command.examples:
                widest = max(len(e.line) for e in command.examples)
                lines = (f"  {e.line:{widest}}  {e.text}".rstrip() for e in command.examples)
                self.epilog = "\n".join(["examples:", *lines])
        return self

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        self.words = list(args or ())
        self.filled()
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"invalid int value: ('[^']*')", r"\1 found, a whole number is needed, as in 1000", message)
        message = re.sub(r"invalid float value: ('[^']*')", r"\1 found, a number is needed, as in 0.5", message)
        taken = "--nonnegative" in self.words and "required: MODEL" in message
        super().error(f"{message}; put --nonnegative without a name after MODEL" if taken else message)


@dataclass(frozen=True)
class _Words:
    """Words that can follow a command: its options, and the words that an option or a position takes."""

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
        options={"--help": "show the help", "--quiet": "results and errors only", "--verbose": "what is being done"}
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
    """A function that offers words by the command and the word before; where it offers none, bash completes files."""
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
