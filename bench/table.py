"""Writes the table of figures into README.md, between its markers, from what lies in bench/results/.

A benchmark without results has a row that says so. `python bench/table.py --check` writes nothing, and exits with 1
where the README is not what the results say.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterable
from typing import Any

from machine import HERE, RESULTS

README = HERE / "README.md"
BEGIN, END = "<!-- figures: bench/table.py -->", "<!-- end of figures -->"
MISSING = "not measured yet"
MEASURED = {
    "detection": ("boxes of blood cells (BCCD)", "AP", "AP50"),
    "segmentation": ("outlines in streets (CamVid, a third of its training images)", "mean IoU"),
}
SETS = {"ants_bees": "ants and bees", "cifar10": "CIFAR-10, 1,000 images"}

Row = tuple[str, str, str, str]
Result = dict[str, Any]


def startup(found: Result) -> Iterable[Row]:
    """Starting: our help beside an empty Python and beside a peer's import."""
    rows = found["rows"]
    ours, empty = rows["convworks --help"], rows["python -c pass"]
    peer = rows.get("import fastai.vision.all")
    yield (
        "`convworks --help`, CPU time",
        f"{1000 * ours['cpu_seconds']:.0f} ms",
        f"an empty Python: {1000 * empty['cpu_seconds']:.0f} ms"
        + (f"; importing fastai: {peer['cpu_seconds']:.1f} s" if peer else ""),
        f"n = {ours['n']}",
    )


def transfer(found: Result) -> Iterable[Row]:
    """Transfer learning: the frozen phase in CPU-seconds, the whole recipe in wall time, and accuracy.

    Where a tool ran on fewer cores than the machine has, which its row then says, the whole recipe is in CPU-seconds.
    """
    rows = found["rows"]
    for task, title in SETS.items():

        def middle(tool: str, *path: str, task: str = task) -> tuple[float, int]:
            values = [_inside(row, path) for key, row in rows.items() if key.startswith(f"{task}/{tool}/")]
            return (statistics.median(values), len(values)) if values else (float("nan"), 0)

        uneven = any("cores" in row for key, row in rows.items() if key.startswith(f"{task}/"))
        for what, ours, theirs, unit in (
            ("frozen phase", "convworks frozen", ("fastai frozen", "loop frozen"), "cpu"),
            ("whole recipe", "convworks train", ("fastai fine_tune",), "cpu" if uneven else "wall"),
        ):
            score, n = middle(ours, "last")
            if not n:
                continue
            spent, _ = middle(ours, "training", unit)
            peers = [
                f"{tool}, at best: {middle(tool, 'best')[0]:.3f}, in {middle(tool, 'training', unit)[0]:.0f} s"
                for tool in theirs
                if middle(tool, "best")[1]
            ]
            clock = "CPU time" if unit == "cpu" else "wall time"
            yield (
                f"{title}: {what}, {clock}",
                f"{score:.3f} in {spent:.1f} s",
                "; ".join(peers),
                f"seeds: {n}",
            )


def train_step(found: Result) -> Iterable[Row]:
    """The training step beside the variants of plain PyTorch, images a second."""
    for net, variants in found["nets"].items():
        speeds = {name: row["images_per_second"] for name, row in variants.items()}
        ours = {name: speed for name, speed in speeds.items() if name.startswith("convworks")}
        peers = {name: speed for name, speed in speeds.items() if name not in ours}
        if ours and peers:
            best, peer = max(ours, key=lambda name: ours[name]), max(peers, key=lambda name: peers[name])
            yield (
                f"training step, {net}",
                f"{ours[best]:.1f} images a second",
                f"{peer}: {peers[peer]:.1f}",
                f"rounds: {found['rounds']}",
            )


def augment(found: Result) -> Iterable[Row]:
    """Augmentation, images a second and core, beside the best peer."""
    for kind, what in (("image", "an image"), ("boxes", "an image with boxes and mask")):
        if kind in found:
            (_, speed), *others = found[kind]["images_per_second"].items()
            peer, best = max(others, key=lambda pair: pair[1])
            yield (
                f"augmenting {what}",
                f"{speed:,} a second and core",
                f"{peer}: {best:,}",
                f"rounds: {found['rounds']}",
            )


def arithmetic(found: Result) -> Iterable[Row]:
    """A hundred layers checked."""
    took = found["milliseconds"]
    yield (
        "checking a net of 100 layers",
        f"{took['convworks, notation']:.1f} ms as notation, {took['convworks, module']:.1f} ms as a module",
        "; ".join(f"{name} (a table only): {took[name]:.1f} ms" for name in ("torchinfo", "torch-scan")),
        f"rounds: {found['rounds']}",
    )


def design(found: Result) -> Iterable[Row]:
    """A proposed net beside the best of its neighbours, on seeds that chose nothing."""
    for name, said in found["verdicts"].items():
        ours, best = said["proposed"]["judging"], said["best neighbour"]["judging"]
        if said["learned"] and ours == ours and best == best:
            yield (
                f"the net that `design --for` proposes for {name}, trained from nothing",
                f"{ours:.3f} right",
                f"the best of ten random neighbours: {best:.3f}",
                "seeds: 2",
            )


def decode(found: Result) -> Iterable[Row]:
    """JPEGs to training size, and from the cache."""
    rows, cache = found["rows"], found["cache"]
    peer = max(rows.items(), key=lambda row: row[1]["images_per_second"] if "full" in row[0] else 0)
    yield (
        "decoding 1600x1200 to 224, images a second and core",
        f"{rows['convworks']['images_per_second']:.0f}; "
        f"{cache['second_epoch_images_per_second']:,} from the cache",
        f"{peer[0]}: {peer[1]['images_per_second']:.0f}",
        f"rounds: {found['rounds']}",
    )


def audit(found: Result) -> Iterable[Row]:
    """The full audit an image, and the search for copies among many."""
    each, search = found["milliseconds_an_image"], found["search"]
    width, height = found["size"]
    yield (
        f"auditing an image of {width}x{height}, CPU time",
        f"{each['audit']:.1f} ms",
        f"Pillow's decoder alone: {each['pillow']:.1f} ms",
        "best of 3",
    )
    threads = "one thread" if found["workers"] == 1 else f"{found['workers']} threads"
    yield (
        f"parts of one another among {found['images']:,} images, {threads}",
        f"{search['seconds']:.0f} s, {search['processor_seconds']:.0f} s of CPU time; "
        f"{search['planted_found']:.0%} of the planted ones found",
        "",
        "n = 1",
    )


def index(found: Result) -> Iterable[Row]:
    """A million records."""
    folder, plain = found["rows"]["folder"], found["rows"]["list"]
    yield (
        "a million images indexed",
        f"{folder['seconds']:.0f} s, {folder['megabytes']:.0f} MB; "
        f"{found['rows']['reopened']['seconds']:.2f} s to reopen",
        f"a list of records: {plain['seconds']:.0f} s, {plain['megabytes']:.0f} MB",
        "n = 1",
    )


def quality(found: Result) -> Iterable[Row]:
    """What the default recipe reaches on a real set for boxes and for outlines, its best row of each."""
    for task, (title, first, *others) in MEASURED.items():
        rows = [row for key, row in found["rows"].items() if key.startswith(f"{task}/")]
        if rows:
            best = max(rows, key=lambda row: row["measures"][first])
            low, high = best["interval"]
            more = "".join(f", {name} {best['measures'][name]:.3f}" for name in others)
            yield (
                f"{title}, test images, {best['seconds']['cpu'] / 60:.0f} minutes of CPU time in all",
                f"{first} {best['measures'][first]:.3f} ({low:.3f} to {high:.3f}){more}",
                "",
                "seeds: 1",
            )


def soak(found: Result) -> Iterable[Row]:
    """Killed and resumed."""
    numbers = {name: value for name, value in found.items() if isinstance(value, int)}
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in numbers.items())
    yield "killed with SIGKILL at random moments, resumed", said, "", ""


KINDS: dict[str, Callable[[Result], Iterable[Row]]] = {
    "startup": startup,
    "transfer": transfer,
    "quality": quality,
    "train_step": train_step,
    "arithmetic": arithmetic,
    "design": design,
    "augment": augment,
    "decode": decode,
    "audit": audit,
    "index": index,
    "soak": soak,
}
"""A file of bench/results/ -> its rows: what, ours, the peers in the same run, how often."""


def table() -> str:
    """The table in Markdown."""
    lines = ["| | Convworks | in the same run | | script |", "|---|---|---|---|---|"]
    machines: list[str] = []
    for name, rows in KINDS.items():
        script = f"[{name}](bench/{name}.py)"
        target = RESULTS / f"{name}.json"
        if not target.exists():
            lines.append(f"| {name.replace('_', ' ')} | {MISSING} | | | {script} |")
            continue
        found = json.loads(target.read_text(encoding="utf-8"))
        lines += [f"| {' | '.join(row)} | {script} |" for row in rows(found)]
        about = found.get("machine", {})
        if (
            about
            and (said := f"{about['cores']} core{'s' * (about['cores'] > 1)} of {about['processor']}")
            not in machines
        ):
            machines.append(said)
    return "\n".join(lines) + (f"\n\nMedians, on {' and '.join(machines)}." if machines else "")


def _inside(row: Result, path: Iterable[str]) -> float:
    value: Any = row
    for name in path:
        value = value[name]
    return float(value)


def main() -> int:
    """Writes the README, or with --check says whether it is up to date."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        sys.exit(f"README.md lacks the markers {BEGIN} and {END}.")
    wanted = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        return int(wanted != text)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
