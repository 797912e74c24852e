"""A small picture of a series: size across, on a logarithmic scale, what it costs upwards from nothing."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from bench.series import Series

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "enid"  # the same results make the same file
matplotlib.rcParams["svg.fonttype"] = "none"

from matplotlib import pyplot  # noqa: E402
from matplotlib.ticker import EngFormatter, NullLocator  # noqa: E402

_INCHES = (3.6, 2.2)
_ROOM_ABOVE = 1.25


def draw(what: Series, target: Path) -> None:
    """Write an SVG."""
    figure, axes = pyplot.subplots(figsize=_INCHES, layout="constrained")
    sizes, values = list(what.values), list(what.values.values())
    axes.plot(sizes, values, marker="o", color="#2864a0")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, max(values) * _ROOM_ABOVE)
    axes.yaxis.set_major_formatter(EngFormatter())
    axes.set_title(f"{what.what}, {what.unit}", fontsize=9)
    axes.set_xlabel("interfaces and rules", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", linewidth=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, format="svg", metadata={"Date": None})
    pyplot.close(figure)
