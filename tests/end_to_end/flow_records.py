"""Flow logs as a test reads them: records as dictionaries, from the files enid writes."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from enid import flow_log_format
from whole_enid import Enid, until

FORMAT = (
    "${version} ${interface-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr} ${srcport} ${dstport} ${protocol} "
    "${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${tcp-flags} ${flow-direction} ${traffic-path} "
    "${instance-id} ${type}"
)
FIELDS = flow_log_format.parse(FORMAT)
Record = dict[str, str]


class FlowLog:
    """A flow log to a bucket of its own, with the fields above."""

    def __init__(self, enid: Enid, kind: str, resource: str, traffic: str = "ALL") -> None:
        self._enid = enid
        made = enid.ec2.create_flow_logs(
            ResourceType=kind,
            ResourceIds=[resource],
            TrafficType=traffic,
            LogDestinationType="s3",
            LogDestination=f"arn:aws:s3:::logs-{traffic.lower()}",
            LogFormat=FORMAT,
        )
        assert not made["Unsuccessful"]
        (self.id,) = made["FlowLogIds"]

    def records(self) -> list[Record]:
        """All there are by now, oldest first."""
        found = []
        for file in self._files():
            header, *lines = file.read_text().splitlines() or [" ".join(FIELDS)]  # it may be empty for a moment
            assert tuple(header.split()) == FIELDS
            found += [dict(zip(FIELDS, line.split(" "), strict=True)) for line in lines]
        return found

    def is_still(self) -> bool:
        """Nothing was written for more than two windows."""
        quiet = 2 * self._enid.settings.flow_log_interval + 0.5
        return time.time() - max(file.stat().st_mtime for file in self._files()) > quiet

    def _files(self) -> list[Path]:
        return sorted(self._enid.settings.flow_logs_dir.rglob(f"*_{self.id}_*.log"), key=lambda file: file.name)

    def watching(self, *interfaces: str) -> None:
        """Wait until the log has begun at these interfaces: it says that nothing passed."""
        until(f"{self.id} begins", lambda: {row["interface-id"] for row in self.records()} >= set(interfaces))

    def totals(self, *by: str, **only: Any) -> dict[tuple[str, ...], tuple[int, int]]:
        """(packets, bytes) of the flows for which ``only`` holds (``_`` for ``-``), of all windows, by these fields."""
        sums: defaultdict[tuple[str, ...], tuple[int, int]] = defaultdict(lambda: (0, 0))
        wanted = {name.replace("_", "-"): str(value) for name, value in only.items()}
        for row in self.records():
            if row["log-status"] == "OK" and wanted.items() <= row.items():
                key = tuple(row[name] for name in by)
                packets, size = sums[key]
                sums[key] = packets + int(row["packets"]), size + int(row["bytes"])
        return dict(sums)
