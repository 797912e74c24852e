"""What ``enid demo`` does: stands up a lab, runs the dual-homed scenario in it, shows the picture, cleans up."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from enid.cli import net, show

if TYPE_CHECKING:
    from rich.console import Console

    from enid.scenarios.lab import Lab
    from enid.settings import Settings


def run(settings: Settings, keep: bool, picture: Path | None, json: bool = False) -> int:
    """0 when every check held, else 1. Ctrl-C and SIGTERM clean up too.

    :param settings: directories and port are not used: the demo has its own, so it never meets an enid that is up.
    :param picture: where to write the SVG; ``enid-demo.svg`` in the current directory by default.
    :param json: what a person reads goes to stderr, and to stdout every check, as one document.
    """
    from enid.scenarios.dual_homed import run as dual_homed
    from enid.scenarios.lab import Lab
    from enid.scenarios.report import Report

    signal.signal(signal.SIGTERM, _interrupt)
    out = show.console(stderr=json)
    report = Report(out)
    report.did("starting enid" + (" without root" if settings.rootless else ""))
    report.did("what follows a $ goes through the AWS CLI, every other call through boto3; both are unmodified")
    with Lab(settings, report, keep=keep) as lab:
        dual_homed(lab)
        _draw(lab, picture or Path("enid-demo.svg"), out)
    report.verdict()
    if json:
        show.as_json({"ok": not report.failed, "checks": [asdict(check) for check in report.checks]})
    if lab.keep:
        _how_to_go_on(lab, out)
    return 1 if report.failed else 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _draw(lab: Lab, path: Path, out: Console) -> None:
    """On the terminal, and as a file where Graphviz is there."""
    from enid.cli.session import Problem

    lab.report.step("The picture")
    drawn = net.load(lab.settings, "dual-homed")
    net.print_picture(drawn, out)
    try:
        net.write_svg(drawn, path)
    except Problem as problem:
        lab.report.did(str(problem))
    else:
        lab.report.did(f"also in {path.absolute()}")


def _how_to_go_on(lab: Lab, out: Console) -> None:
    key, nobody = f"{lab.directory}/administrator.pem", "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    out.print("\nIt is still up. To go on:")
    for line in (
        f"export PATH={Path(sys.executable).parent}:$PATH",
        *(f"export {name}={value}" for name, value in lab.variables.items()),
        'eval "$(enid env)"',
        "aws ec2 describe-network-interfaces",
        f"enid exec site/corporate -- ssh -F none -i {key} {nobody} root@10.0.2.12",
        "enid why site/client web-1 tcp/22",
        f"enid down && python -m enid.scenarios.sweep {lab.directory}",
    ):
        out.print(f"  {line}", soft_wrap=True, markup=False)
