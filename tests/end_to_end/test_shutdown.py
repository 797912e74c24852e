"""Stop and terminate are orderly: what runs in the guest is asked to end, and has time for its last words."""

from __future__ import annotations

from typing import Any

import pytest

from whole_enid import until

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

SERVICE = """#!/bin/sh
trap 'echo saved >/root/state; exit' TERM
while :; do sleep 0.1; done
"""


def test_what_runs_may_save_its_state_when_the_instance_stops(enid: Any) -> None:
    (instance,) = (found["InstanceId"] for found in enid.launch(enid.subnet(), 1, UserData=SERVICE))
    until("the service runs", lambda: "part-001" in enid.run(instance, "ps", "ax"))
    enid.ec2.stop_instances(InstanceIds=[instance])
    until("it is stopped", lambda: enid.states([instance]) == ["stopped"])
    enid.ec2.start_instances(InstanceIds=[instance])
    until("it runs again", lambda: enid.is_up(instance))
    assert enid.run(instance, "cat", "/root/state") == "saved\n"
