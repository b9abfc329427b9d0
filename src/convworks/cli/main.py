"""The command line: finds the verb, loads it alone, and says every failure in words.

Nothing heavy is imported before a verb runs: `convworks --help` is written from the table below. A verb is a
module `convworks.cli.<verb>` with `HELP`, `EXAMPLES` (two command lines), `add(parser)` and
`run(args) -> int`.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as type checkers read it; importing `typing` would double an empty Python's start

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "train": "images in folders become a trained, measured model",
    "audit": "what is in a data set, and what is wrong with it",
    "preview": "your images beside what augmentation would make of them",
    "convert": "annotations in another format; what it cannot hold is named first",
    "propose": "the recipe for a data set, with a reason for each choice",
    "evaluate": "measure a model on labelled images",
    "predict": "what a model says of images: on screen, as CSV or JSON",
    "report": "write a run as one HTML file that works offline",
    "design": "sizes, receptive field and cost of a net, layer by layer",
    "check": "the same of any PyTorch module or timm name, and what does not fit",
    "demonstrate": "show a claim of the guide, measured: lines and a page",
    "ladder": "from R-CNN to the default on your boxes: what each step finds and costs",
    "sample-data": "write a synthetic data set with honest labels",
}

INTERRUPTED = 130
READER_LEFT = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code (0, 1, 2, 3, 130 or 141; see `convworks --help`)."""
    given = list(sys.argv[1:] if argv is None else argv)
    words = [word for word in given if word != "--debug"]
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        left = isinstance(error, BrokenPipeError) and _reader_left()
        _silence_full_output()
        if left:
            return READER_LEFT
        from convworks.cli.failures import said

        return said(error, debug="--debug" in given)


def _run(words: list[str]) -> int:
    first = words[0] if words else ""
    if first in ("--help", "-h"):
        print(overview())
        return 0
    if first == "--version":
        from convworks import __version__

        print(f"convworks {__version__}")
        return 0
    if not first:
        print(overview(), file=sys.stderr)
        return 2
    if first not in VERBS:
        from convworks.errors import RecipeError, unknown

        if first.startswith("-"):
            raise RecipeError(
                f"{first} stands where a verb belongs.", fix=f"convworks VERB {first} ...; `convworks --help`"
            )
        raise unknown("verb", first, VERBS)

    from convworks.cli.options import parse, verb_module

    module = verb_module(first)
    return module.run(parse(first, module, words[1:]))


def overview() -> str:
    """What `convworks --help` prints: the verbs with a line each, and the exit codes."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {said}" for verb, said in VERBS.items())
    return f"""\
usage: convworks VERB ... [--json] [--debug]

From a folder of labelled images to a ConvNet that its owner can trust and understand.

{verbs}

Begin with:
  convworks train pets/             one folder a class; nothing else to decide
  convworks VERB --help             what a verb takes, with two examples

--json writes for machines, --debug shows the traceback of a failure, --version the version.
Exit codes: 0 done; 1 done, with findings that need attention; 2 a mistake in what was asked, said in words;
3 a failure of ours or of the machine; 130 or 143 interrupted, with everything saved."""


def _reader_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more (`convworks ... | head`)."""
    import select

    if not hasattr(select, "poll"):
        return False
    output = select.poll()
    output.register(sys.stdout.fileno(), select.POLLOUT)
    return any(state & (select.POLLERR | select.POLLHUP) for _, state in output.poll(0))


def _silence_full_output() -> None:
    """Sends what standard output does not take (a pipe without a reader, a full disk) nowhere."""
    try:
        sys.stdout.flush()
    except OSError:
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
