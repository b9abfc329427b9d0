"""The options of one verb: read strictly, with the nearest of ours for every word that is not one."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import NoReturn, Protocol, cast

from convworks.errors import RecipeError, nearest

WORDS = {"int": "a whole number", "float": "a number"}


class Verb(Protocol):
    """What a module of a verb holds: a description, two examples, its options and its work."""

    HELP: str
    EXAMPLES: tuple[str, str]

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declares what the verb takes."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Does it and returns the exit code."""
        ...


def verb_module(verb: str) -> Verb:
    """The module of a verb: "sample-data" lives in `convworks.cli.sample_data`."""
    return cast(Verb, import_module(f"convworks.cli.{verb.replace('-', '_')}"))


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are RecipeErrors with a fix."""

    def error(self, message: str) -> NoReturn:
        raise self.complaint(message)

    def complaint(self, message: str) -> RecipeError:
        """argparse's message in our words."""
        help_line = f"`{self.prog} --help` shows what it takes"
        if found := re.fullmatch(r"the following arguments are required: (.+)", message):
            return RecipeError(f"{self.prog} needs {found[1]}.", fix=self.usage_line())
        found = re.fullmatch(r"argument (\S+?)(?:/\S+)?: (.+)", message, re.DOTALL)
        if not found:
            return RecipeError(f"{self.prog}: {message}.", fix=help_line)
        option, said = found.groups()
        if typed := re.fullmatch(r"invalid (int|float)(?: value)?: '(.*)'", said):
            return RecipeError(f'{option} "{typed[2]}" is not {WORDS[typed[1]]}.', fix=help_line)
        if choice := re.fullmatch(r"invalid choice: '?(.*?)'? \(choose from (.+)\)", said):
            names = [name.strip(" '") for name in choice[2].split(",")]
            guess = nearest(choice[1], names)
            return RecipeError(
                f'{option} has no "{choice[1]}".',
                expected=f"one of {', '.join(names)}",
                fix=f"did you mean {guess}?" if guess else "",
            )
        if said.startswith("expected"):
            return RecipeError(f"{option} stands without its value ({said}).", fix=help_line)
        return RecipeError(f"{option}: {said}.", fix=help_line)

    def usage_line(self) -> str:
        """The usage on one line."""
        return " ".join(self.format_usage().removeprefix("usage: ").split())

    def stray(self, word: str) -> RecipeError:
        """The error for a word too many: an option mistyped, another tool's, or an argument."""
        option = word.partition("=")[0]
        if not option.startswith("--"):
            what = "option" if option.startswith("-") else "argument"
            return RecipeError(f'{self.prog} does not take the {what} "{word}".', fix=self.usage_line())
        from convworks.recipe.options import ELSEWHERE

        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        ours = ELSEWHERE.get(option.removeprefix("--").replace("-", "_"))
        if ours:
            short = "--" + ours.rpartition(".")[2].replace("_", "-")
            if short in known:
                return RecipeError(f"{option} is the word of another tool.", fix=f"ours is {short} ({ours})")
        guess = nearest(option, known)
        return RecipeError(
            f"{self.prog} has no option {option}.",
            fix=f"did you mean {guess}?" if guess else f"`{self.prog} --help` lists its options",
        )


def parser_of(verb: str, module: Verb) -> Parser:
    """The parser of a verb: its own options, and `--json` and `--debug`, which every verb has."""
    description: str = module.HELP
    examples = "\n".join(f"  {line}" for line in getattr(module, "EXAMPLES", ()))
    parser = Parser(
        prog=f"convworks {verb}",
        description=description,
        epilog=f"Examples:\n{examples}" if examples else None,
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=_width()),
        allow_abbrev=False,
        conflict_handler="resolve",
    )
    parser.add_argument("--json", action="store_true", help="write for machines: JSON on standard output")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    module.add(parser)
    return parser


def parse(verb: str, module: Verb, words: Sequence[str]) -> argparse.Namespace:
    """The arguments of a verb; raises RecipeError naming the nearest option for a word that is not one."""
    parser = parser_of(verb, module)
    args, strays = parser.parse_known_args(words)
    if strays:
        raise parser.stray(strays[0])
    return args


def _width() -> int:
    """Columns for help, at most 100; asked directly, as argparse would load compression libraries to ask."""
    try:
        return min(int(os.environ.get("COLUMNS", "") or os.get_terminal_size().columns), 100)
    except (OSError, ValueError):
        return 80
