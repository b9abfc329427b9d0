"""Golden transcripts: a pipe gets plain lines, a terminal a live line that leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convworks import events
from convworks.report.terminal import json_lines, watch

HERE = Path(__file__).parent
GOLDEN = (HERE / "golden" / "pipe.txt").read_text(encoding="utf-8")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    return kept | {"PYTHONIOENCODING": "utf-8"} | more


def piped(**more: str) -> str:
    shown = subprocess.run(
        [sys.executable, HERE / "transcript.py"], capture_output=True, env=environment(**more), check=True
    )
    return shown.stdout.decode("utf-8")


def in_terminal(**more: str) -> str:
    """What the transcript writes to a terminal of 80 columns."""
    main, child = pty.openpty()
    import termios

    termios.tcsetwinsize(child, (24, 80))
    process = subprocess.Popen(
        [sys.executable, HERE / "transcript.py"],
        stdout=child,
        stdin=child,
        env=environment(**{"TERM": "xterm-256color"} | more),
    )
    os.close(child)
    written = b""
    try:
        while part := os.read(main, 4096):
            written += part
    except OSError:  # the terminal is closed when the process has ended
        pass
    os.close(main)
    assert process.wait() == 0
    return written.decode("utf-8")


def left_on_screen(written: str) -> str:
    """The lines that stay when the cursor movements of a live line have been obeyed."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if token == "\r":
            column = 0
        elif token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token == "\x1b[1A":
            row -= 1
        elif not token.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            column += len(token)
    return "\n".join(lines)


def test_a_pipe_gets_the_golden_transcript() -> None:
    assert piped() == GOLDEN


def test_a_pipe_gets_no_escapes_no_carriage_returns_and_no_line_beyond_80_columns() -> None:
    assert not re.search(r"[\x1b\r]", GOLDEN)
    assert max(map(len, GOLDEN.splitlines())) <= 80


def test_a_terminal_keeps_the_same_lines_when_the_live_line_is_gone() -> None:
    written = in_terminal()
    assert "0/101" in written, "the progress line was drawn"
    assert left_on_screen(written) == GOLDEN


def test_a_terminal_marks_warnings_with_colour() -> None:
    assert "\x1b[33m!\x1b[0m Overfitting" in in_terminal()


@pytest.mark.parametrize("asked", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_what_a_pipe_gets(asked: dict[str, str]) -> None:
    assert in_terminal(**asked).replace("\r\n", "\n") == GOLDEN


def test_a_pipe_does_not_load_rich() -> None:
    code = (
        "import sys; from convworks.report.terminal import watch; from convworks.events import Progress;"
        "list(watch([Progress(stage='a', done=1, total=2)]));"
        "print([name for name in ('rich', 'numpy', 'torch') if name in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert shown.stdout == "[]\n"


def finding(code: str, said: str, level: events.Level = "warning") -> events.Finding:
    return events.Finding(code=code, level=level, said=said)


def said(*stream: events.Event) -> str:
    out = io.StringIO()
    assert list(watch(stream, out)) == list(stream), "the stream goes through unchanged"
    return out.getvalue()


def test_problems_are_repeated_once_each_and_notes_are_not() -> None:
    shown = said(finding("a", "First"), finding("a", "Latest"), finding("b", "Small", "note"))
    assert shown.split("Problems\n")[1] == "        ! Latest.\n"


def test_a_run_without_problems_does_not_speak_of_any() -> None:
    assert "Problems" not in said(finding("b", "Small", "note"))


def test_problems_are_said_where_the_stream_breaks() -> None:
    def broken() -> Iterator[events.Event]:
        yield finding("a", "Wrong")
        raise ValueError("stop")

    out = io.StringIO()
    with pytest.raises(ValueError, match="stop"):
        list(watch(broken(), out))
    assert out.getvalue().endswith("Problems\n        ! Wrong.\n")


def test_problems_are_said_when_the_watcher_leaves_early() -> None:
    out = io.StringIO()
    stream = watch(iter([finding("a", "Wrong"), finding("b", "Worse")]), out)
    next(stream)
    stream.close()
    assert out.getvalue().endswith("Problems\n        ! Wrong.\n")


@pytest.mark.parametrize("through", [watch, json_lines])
def test_leaving_early_closes_the_run_at_once(
    through: Callable[[Iterator[events.Event], io.StringIO], Iterator[events.Event]],
) -> None:
    closed: list[str] = []

    def run() -> Iterator[events.Event]:
        try:
            yield finding("a", "Wrong")
            yield finding("b", "Worse")
        finally:
            closed.append("run")

    running = run()  # held here, so that only an explicit close ends it
    stream = through(running, io.StringIO())
    next(stream)
    assert closed == []
    stream.close()
    assert closed == ["run"]


def test_a_file_name_cannot_steer_the_terminal() -> None:
    shown = said(
        events.DataFound(
            root="x",
            source="folder",
            task="classification",
            counts={"a\x1b[31m": 1, "b": 2},
            short_sides=(1, 1, 1),
            set_aside=(("evil\x1b[2J\r\n\u202e.jpg", "unreadable"),),
        )
    )
    assert "evil\\x1b[2J\\r\\n\\u202e.jpg" in shown
    assert not re.search("[\x1b\r\u202e]", shown)


def test_a_stream_that_cannot_write_a_letter_gets_it_spelt_out() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    list(watch([finding("a", "známky ±13")], out))
    assert raw.getvalue().startswith(b"        ! zn\\xe1mky +/-13.")


def test_a_rate_that_was_lowered_names_step_layer_and_files() -> None:
    shown = said(
        events.RateLowered(
            epoch=2,
            step=7,
            quantity="loss",
            layer="block3",
            files=("a.png", "b.png"),
            learning_rate=0.1,
            retry_learning_rate=0.03,
        )
    )
    words = " ".join(shown.split("Problems")[0].split())
    assert words == (
        "epoch 2 ! The loss was not finite in block3 at step 7 with the learning rate 0.1; going on from the "
        "last good state with 0.03. The batch: a.png, b.png."
    )


def test_an_interrupted_run_says_how_to_go_on() -> None:
    shown = said(events.Interrupted(signal="SIGTERM", command="convworks train --resume runs/a"))
    assert "Go on: convworks train --resume runs/a" in shown


def test_json_lines_are_the_events_of_the_run_file() -> None:
    out = io.StringIO()
    stream = [finding("a", "Wrong"), events.Progress(stage="a", done=1, total=2), finding("b", "±\n")]
    assert list(json_lines(stream, out)) == stream
    lines = out.getvalue().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["Finding", "Finding"]
    read = [events.decode(line) for line in lines]
    assert [line.event for line in read if line] == [stream[0], stream[2]]
