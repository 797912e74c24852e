"""The picture AWS draws for elastic network interfaces, made real: a dual-homed management network, and failover.

``docs/scenarios/dual-homed.md`` tells it step by step.
"""

from __future__ import annotations

from enid.scenarios.dual_homed import failover, floating, matrix, network, refusals, servers
from enid.scenarios.lab import Lab


def run(lab: Lab) -> None:
    """Build it and prove it; the outcome is in ``lab.report``."""
    net = network.build(lab)
    machines = servers.launch(lab, net)
    servers.plug_management(lab, net, machines)
    moving = floating.create(lab, net, machines)
    matrix.prove(lab, machines, moving)
    matrix.prove_way_back(lab, machines, moving)
    refusals.prove(lab, net, machines)
    failover.move_from_dead_server(lab, machines, moving)
    failover.move_between_healthy_servers(lab, machines, moving)
