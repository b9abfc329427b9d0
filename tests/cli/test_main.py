"""The command line as a person meets it: real processes, what they print, how they end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from convworks.cli.main import VERBS

HEAVY = ("argparse", "cv2", "numpy", "PIL", "rich", "scipy", "timm", "torch", "torchvision")

# A verb of our own, so that the frame is tried without any real work: `attempt` does what BODY says. A suite that runs
# in the background hands down that interrupts are ignored, which a person at a terminal does not.
ATTEMPT = """
import signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)
from convworks.cli import main as command_line
from convworks.errors import *

verb = types.ModuleType("convworks.cli.attempt")
verb.HELP = "Tries what is to be tried."
verb.EXAMPLES = ("convworks attempt pets/", "convworks attempt pets/ --epochs 3")

def add(parser):
    parser.add_argument("folder", help="a folder")
    parser.add_argument("--epochs", type=int, default=1, help="how many")
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--input-size", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--to", choices=("onnx", "openvino"))

def run(args):
{body}

verb.add, verb.run = add, run
sys.modules[verb.__name__] = verb
command_line.VERBS["attempt"] = "tries"
sys.exit(command_line.main())
"""


def start(*words: str, body: str = "return 0", **options: object) -> subprocess.Popen[str]:
    """The process of `convworks WORDS` with the verb `attempt` in place."""
    code = ATTEMPT.format(body=textwrap.indent(textwrap.dedent(body).strip(), "    "))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([sys.executable, "-c", code, *words], **streams)  # type: ignore[call-overload]


def convworks(*words: str, body: str = "return 0", **options: object) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of `convworks WORDS`."""
    with start(*words, body=body, **options) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out or "", err or ""


def mistake(*words: str, body: str = "return 0") -> str:
    """What is said of a mistake: at most six lines on standard error, no traceback, exit code 2."""
    code, out, err = convworks(*words, body=body)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) <= 6
    assert "Traceback" not in err
    return err


def test_help_lists_every_verb_with_its_line_and_imports_nothing_that_is_heavy() -> None:
    code = (
        "import sys; from convworks.cli.main import main; code = main(['--help']);"
        "print('loaded:', *sys.modules); sys.exit(code)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    text, _, loaded = shown.stdout.partition("loaded:")
    assert (shown.returncode, shown.stderr) == (0, "")
    for verb, said in VERBS.items():
        assert [f"  {verb:<11}  {said}"] == [line for line in text.splitlines() if line.split()[:1] == [verb]]
    assert set(HEAVY).isdisjoint(loaded.split())
    assert not [
        name for name in loaded.split() if name.startswith("convworks.cli.") and not name.endswith(".main")
    ]
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "convworks"], [Path(sys.executable).parent / "convworks"]]
)
def test_the_script_and_the_module_are_the_same_command(command: list[str]) -> None:
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("convworks 0.")


def test_no_verb_shows_the_help_as_a_mistake() -> None:
    code, out, err = convworks()
    assert (code, out) == (2, "")
    assert err.startswith("usage: convworks VERB")


def test_a_mistyped_verb_is_answered_with_the_nearest() -> None:
    assert 'There is no verb "trian".' in (said := mistake("trian"))
    assert 'did you mean "train"?' in said


def test_an_option_before_the_verb_is_told_where_it_belongs() -> None:
    assert "--epochs stands where a verb belongs" in mistake("--epochs", "3", "attempt")


def test_the_help_of_a_verb_shows_its_two_examples_and_what_every_verb_has() -> None:
    code, out, _ = convworks("attempt", "--help")
    assert code == 0
    for expected in (
        "Tries what",
        "convworks attempt pets/ --epochs 3",
        "--json",
        "--debug",
        "--learning-rate",
    ):
        assert expected in out


def test_a_mistyped_option_is_answered_with_the_nearest() -> None:
    assert "did you mean --epochs?" in mistake("attempt", "pets", "--epoch", "3")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("--lr", "--learning-rate"),
        ("--lr0=0.1", "--learning-rate"),
        ("--imgsz", "--input-size"),
        ("--batch-size", "--batch"),
        ("--bs", "--batch"),
        ("--num_epochs", "--epochs"),
    ],
)
def test_the_word_of_another_tool_is_answered_with_ours(theirs: str, ours: str) -> None:
    said = mistake("attempt", "pets", theirs, "3")
    assert f"ours is {ours} " in said
    assert theirs.partition("=")[0] in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "convworks attempt needs folder."),
        (("pets", "--epochs", "many"), '--epochs "many" is not a whole number.'),
        (("pets", "--learning-rate", "fast"), '--learning-rate "fast" is not a number.'),
        (("pets", "--to", "onyx"), "did you mean onnx?"),
        (("pets", "--epochs"), "--epochs stands without its value"),
        (("pets", "cats"), 'does not take the argument "cats"'),
        (("pets", "-x"), 'does not take the option "-x"'),
        (("pets", "--qqqq"), "`convworks attempt --help` lists its options"),
    ],
)
def test_an_argument_that_does_not_fit_is_said_in_words(words: tuple[str, ...], said: str) -> None:
    assert said in mistake("attempt", *words)


def test_the_exit_code_of_a_verb_is_that_of_the_process() -> None:
    assert convworks("attempt", "pets", body="print(args.folder); return 1") == (1, "pets\n", "")


@pytest.mark.parametrize(("kind", "code"), [("DataError", 2), ("StorageError", 3), ("TeamError", 3)])
def test_an_error_of_ours_is_printed_with_its_fix_and_its_code(kind: str, code: int) -> None:
    body = f'raise {kind}("pets/ is empty.", expected="images", fix="put some there")'
    assert convworks("attempt", "pets", body=body) == (
        code,
        "",
        "Error: pets/ is empty.\nExpected: images\nFix: put some there\n",
    )


def test_a_long_error_is_cut_to_six_lines() -> None:
    said = mistake("attempt", "pets", body='raise DataError("\\n".join(str(i) for i in range(20)))')
    assert said.splitlines()[-1] == "... and 15 lines more; --debug shows them"


@pytest.mark.parametrize("words", [("attempt", "pets", "--debug"), ("--debug", "attempt", "pets")])
def test_debug_shows_the_traceback(words: tuple[str, ...]) -> None:
    code, _, err = convworks(*words, body='raise DataError("pets/ is empty.")')
    assert code == 2
    assert err.startswith("Traceback")
    assert err.endswith("\nError: pets/ is empty.\n")


def test_an_unexpected_failure_is_one_line_and_a_file_with_the_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    code, out, err = convworks("attempt", "pets", body='raise ValueError("odd\\nthing")', env=environment)
    (file,) = tmp_path.iterdir()
    assert (code, out) == (3, "")
    assert "ValueError: odd" in err and str(file) in err and "--debug" in err
    assert len(err.splitlines()) == 2
    assert "Traceback" in file.read_text() and "thing" in file.read_text()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "MB are free"),
        (errno.EACCES, "may not be read or written"),
        (errno.EROFS, "read-only"),
    ],
)
def test_what_the_disk_refuses_is_said_in_words(number: int, said: str, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    code, _, err = convworks("attempt", "pets", body=f"raise OSError({number}, 'refused', {str(file)!r})")
    assert code == 3
    assert said in err and str(file) in err and "Fix: " in err
    assert len(err.splitlines()) <= 6


@pytest.fixture
def full() -> Iterator[int]:
    """A file handle to a device that is always full."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    handle = os.open("/dev/full", os.O_WRONLY)
    yield handle
    os.close(handle)


def test_a_full_disk_behind_standard_output_is_said_once(full: int) -> None:
    code, _, err = convworks("attempt", "pets", body="print('told'); return 0", stdout=full)
    assert code == 3
    assert "The disk is full" in err
    assert "Exception ignored" not in err


def test_a_reader_who_leaves_ends_it_quietly() -> None:
    with start("attempt", "pets", body="for i in range(100_000): print(i)\nreturn 0") as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 141


def test_a_broken_pipe_that_is_not_standard_output_is_a_failure() -> None:
    code, _, err = convworks("attempt", "pets", body="raise BrokenPipeError(32, 'a worker died')")
    assert code == 3
    assert "a worker died" in err


def test_an_interrupt_ends_with_130_and_a_word() -> None:
    body = "import time; print('on', flush=True); time.sleep(60)"
    with start("attempt", "pets", body=body) as process:
        assert process.stdout and process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "Interrupted.\n")
