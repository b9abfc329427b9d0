"""What stands beside every figure: the machine, the versions, and the clocks.

from machine import described, write
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
PEERS = HERE / ".bench-env" / "bin" / "python"
RESULTS = HERE / "bench" / "results"


def described(*packages: str) -> dict[str, Any]:
    """The processor, its cores and flags that matter, the memory in GB, the system, and versions by name."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "flags": [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags()],
        "memory_gb": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in packages if (found := installed(name))},
    }


def peers(*packages: str) -> dict[str, str]:
    """The versions in the peers' own environment, of those that are there."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from machine import installed; import json;"
        "print(json.dumps({name: found for name in sys.argv[2:] if (found := installed(name))}))"
    )
    if not PEERS.exists():
        return {}
    shown = subprocess.run(
        [str(PEERS), "-c", code, str(Path(__file__).parent), *packages],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(shown.stdout)


def installed(package: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def information() -> str:
    """What Linux says of its processors; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def processor() -> str:
    """The processor's name as the system gives it."""
    names = [
        line.partition(":")[2].strip() for line in information().splitlines() if line.startswith("model name")
    ]
    return names[0] if names else platform.processor()


def flags() -> set[str]:
    """The processor's instruction sets."""
    lines = [line.partition(":")[2] for line in information().splitlines() if line.startswith("flags")]
    return set(lines[0].split()) if lines else set()


def memory() -> float | None:
    """Gigabytes of memory, where the system says."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)


def write(name: str, result: dict[str, Any]) -> Path:
    """Writes `bench/results/NAME.json`, whole or not at all."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{name}.json"
    part = target.with_suffix(".part")
    part.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(target)
    return target
