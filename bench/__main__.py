"""``python -m bench``: run what the environment asks for, say each figure as it comes, write them all down."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path

from bench import api, comparison, density, descriptions, failover, launch, moves, packets, sizes
from bench.figures import Figure
from bench.plan import Plan

RESULTS = Path(__file__).with_name("results.json")
BENCHES = (
    packets.BENCH,
    api.BENCH,
    descriptions.BENCH,
    moves.BENCH,
    launch.BENCH,
    failover.BENCH,
    comparison.BENCH,
    density.BENCH,
    sizes.BENCH,
)


def main() -> int:
    """0 when every goal was reached."""
    if os.geteuid() != 0:
        print("bench: needs root, for network namespaces", file=sys.stderr)
        return 2
    plan = Plan.of(os.environ)
    unknown = plan.only - {name for bench in BENCHES for name in (bench.name, *bench.figures)}
    if unknown:
        print(f"bench: ONLY names nothing that is measured: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    figures = _run(plan)
    return 0 if figures and all(figure.ok for figure in figures) else 1


def _run(plan: Plan) -> list[Figure]:
    figures: list[Figure] = []
    for bench in BENCHES:
        wanted = bench.wanted(plan)
        if wanted is None:
            continue
        begun = time.monotonic()
        for figure in bench.run(wanted):
            if wanted.wants(figure.name):
                print(figure.line(), flush=True)
                figures.append(figure)
                _write(plan, figures)
        print(f"     {bench.name}: {time.monotonic() - begun:.0f} s", flush=True)
    return figures


def _write(plan: Plan, figures: list[Figure]) -> None:
    """What a run of some figures does not measure stays as it was."""
    before = json.loads(RESULTS.read_text())["figures"] if plan.only and RESULTS.exists() else []
    measured = {figure.name: {**figure.as_json(), "quick": plan.quick} for figure in figures}
    kept = [measured.pop(entry["name"], entry) for entry in before]
    machine = {"processors": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    report = {"machine": machine, "figures": [*kept, *measured.values()]}
    RESULTS.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
