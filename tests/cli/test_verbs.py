"""What every verb keeps to; a verb joins by being a module of `convworks.cli` that is named in VERBS."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from convworks.cli import main
from convworks.cli.options import parser_of, verb_module

FRAME = {
    "__init__",
    "main",
    "options",
    "failures",
    "answers",
    "coco_answers",
    "designing",
    "masks",
    "pictures",
}
HEAVY = ("cv2", "numpy", "PIL", "rich", "scipy", "timm", "torch", "torchvision")


def test_the_verbs_are_the_modules_beside_the_frame() -> None:
    folder = Path(main.__file__).parent
    modules = {file.stem for file in folder.glob("*.py")} - FRAME
    assert {verb.replace("-", "_") for verb in main.VERBS} == modules, (
        "name every verb in VERBS, and no other"
    )


@pytest.mark.parametrize("verb", main.VERBS)
def test_the_two_examples_of_a_verb_are_understood(verb: str) -> None:
    module = verb_module(verb)
    assert len(module.EXAMPLES) == 2
    for example in module.EXAMPLES:
        words = shlex.split(example.partition(" > ")[0])
        assert words[:2] == ["convworks", verb]
        parser_of(verb, module).parse_args(words[2:])


@pytest.mark.parametrize("verb", main.VERBS)
def test_the_help_of_a_verb_says_what_it_does_and_loads_nothing_heavy(verb: str) -> None:
    code = (
        "import sys; from convworks.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        f"finally: print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, verb, "--help"], capture_output=True, text=True, check=True
    )
    module = verb_module(verb)
    for expected in (*module.HELP.splitlines(), *module.EXAMPLES, "--json", "--debug"):
        assert expected.strip() in shown.stdout
    assert shown.stderr.strip() == ""


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_option_of_a_verb_is_explained(verb: str) -> None:
    for action in parser_of(verb, verb_module(verb))._actions:
        assert action.help, f"{verb} {action.option_strings or action.dest} has no help"


def test_json_is_all_that_a_verb_writes_for_machines() -> None:
    words = ["design", "conv5-3", "--input", "32x32x3", "--json"]
    shown = subprocess.run(
        [sys.executable, "-m", "convworks", *words], capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout)["output"] == [28, 28, 3]
