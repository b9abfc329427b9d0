"""A million records: how long to find them, how much memory they take, how much more in a process that reads them.

    python bench/index.py [records] [folders]

Claims: in under 60 s and 80 MB above the empty process, at most 25 MB more in a reading worker, reopened in under 1 s.
The tree is real: folders of hard links to empty files, read as a folder a class and as a table of path,label in random
order; time is CPU seconds of the whole reading (the walls stand beside), memory the peak of a process that does
nothing else, above itself after its imports. A worker reads every record once; what counts are the pages that are its
own (private, from /proc; the process that starts it maps the file too), with all resident ones beside. Lists of the
same Records are measured for comparison.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from convworks.data.packed import opened
from machine import HERE, described, write

LIMITS = {"seconds": 60.0, "megabytes": 80.0, "worker_megabytes": 25.0, "reopened_seconds": 1.0}
TABLE = "labels.csv"


def tree(root: Path, records: int, folders: int) -> None:
    """`folders` of hard links to one empty file each, and a table of all of them in random order."""
    names: list[str] = []
    for folder in range(folders):
        place = root / "tree" / f"class_{folder:04}"
        place.mkdir(parents=True)
        first = place / "000000.jpg"
        first.touch()
        for number in range(records // folders):
            if number:
                os.link(first, place / f"{number:06}.jpg")
            names.append(f"tree/{place.name}/{number:06}.jpg,{place.name}\n")
    random.Random(0).shuffle(names)
    with (root / TABLE).open("w", encoding="utf-8") as table:
        table.write("path,label\n")
        table.writelines(names)


def status(field: str) -> float:
    """A line of /proc/self/status or of smaps_rollup, in MB."""
    for file in ("/proc/self/status", "/proc/self/smaps_rollup"):
        for line in Path(file).read_text(encoding="ascii").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise LookupError(field)


def own() -> float:
    """Pages of this process alone, in MB."""
    return status("Private_Clean") + status("Private_Dirty")


def reading(kind: str, root: Path) -> dict[str, float]:
    """In a process of its own: finds all records; `kind` is folder, csv, list, or empty for nothing."""
    from convworks.data import sources

    before, cpu, wall = status("VmHWM"), time.process_time(), time.perf_counter()
    records = []
    if kind:
        module = sources.module("folder" if kind == "list" else kind)
        records = module.read(root / "tree" if kind != "csv" else root / TABLE).records
    if kind == "list":
        records = list(records)
    found = {
        "records": len(records),
        "seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "megabytes": round(status("VmHWM") - before, 1),
    }
    if kind == "folder":
        began = time.process_time()
        records.save(root / "records")
        found["saved_seconds"] = round(time.process_time() - began, 2)
        found["file_megabytes"] = round((root / "records").stat().st_size / 1e6, 1)
    if kind in ("folder", "list"):
        found["fork_worker_megabytes"] = forked(records)
    return found


def forked(records: list) -> float:
    """What a fork's own pages grow by while it reads every record."""
    read, written = os.pipe()
    if os.fork() == 0:
        before = own()
        for _ in records:
            pass
        os.write(written, f"{own() - before:.1f}".encode())
        os._exit(0)
    os.wait()
    return float(os.read(read, 20))


def opening(root: Path) -> dict[str, float]:
    """In a process of its own: opens the file of records, as a spawned worker does, and reads every record."""
    before, resident, cpu, wall = own(), status("VmRSS"), time.process_time(), time.perf_counter()
    records = opened(root / "records")
    taken = time.process_time() - cpu, time.perf_counter() - wall
    first = time.process_time()
    for _ in records:
        pass
    return {
        "records": len(records),
        "seconds": round(taken[0], 3),
        "wall_seconds": round(taken[1], 3),
        "reading_seconds": round(time.process_time() - first, 2),
        "worker_megabytes": round(own() - before, 1),
        "worker_resident_megabytes": round(status("VmRSS") - resident, 1),
    }


def apart(*words: str) -> dict[str, float]:
    """What a process of its own finds."""
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(records: int = 1_000_000, folders: int = 1000) -> int:
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    root = Path(tempfile.mkdtemp(dir=base))
    try:
        tree(root, records, folders)
        rows = {kind: apart("reading", kind, str(root)) for kind in ("folder", "csv", "list")}
        in_parent = opened(root / "records")
        shared = sum(1 for _ in in_parent)
        rows["reopened"] = apart("opening", str(root)) | {"records_in_parent": shared}
    finally:
        shutil.rmtree(root)
    worker = max(rows["folder"]["fork_worker_megabytes"], rows["reopened"]["worker_megabytes"])
    reached = {
        "seconds": max(rows["folder"]["seconds"], rows["csv"]["seconds"]),
        "megabytes": max(rows["folder"]["megabytes"], rows["csv"]["megabytes"]),
        "worker_megabytes": worker,
        "reopened_seconds": rows["reopened"]["seconds"],
    }
    result = {
        "claim": LIMITS,
        "reached": reached,
        "rows": rows,
        "records": records,
        "folders": folders,
        "tree": "hard links to empty files" + (", in memory" if base else ""),
        "machine": described("convworks"),
    }
    target = write("index", result)
    for name, row in rows.items():
        print(name, row)
    for name, value in reached.items():
        print(f"{name:18s} {value:8.2f}   (to reach: {LIMITS[name]:g})")
    print(f"written to {target.relative_to(HERE)}")
    return int(any(value > LIMITS[name] for name, value in reached.items()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["reading", kind, root]:
            print(json.dumps(reading(kind, Path(root))))
        case ["opening", root]:
            print(json.dumps(opening(Path(root))))
        case words:
            raise SystemExit(main(*map(int, words)))
