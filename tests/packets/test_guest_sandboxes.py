"""What a sandbox's life is: booting, stopping, crashing, being found again, leaving nothing behind."""

from __future__ import annotations

import gzip
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_sandboxes import Guests, until, world

from enid.guest import cgroups, records
from enid.guest.enter import NotRunning, crash, enter, exec_in_namespace
from enid.guest.ids import FIRST, WIDTH
from enid.guest.launcher import Launcher
from enid.guest.sandboxes import Sandboxes
from enid.netlink import namespaces

pytestmark = pytest.mark.root

A, B = "i-aaaa", "i-bbbb"


@pytest.fixture
def guests(tmp_path: Path) -> Iterator[Guests]:
    with world(tmp_path) as made:
        yield made


def proportional_memory(pid: int) -> int:
    """PSS of a process in bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024


def namespace_of(pid: int, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{kind}")


class TestBoot:
    def test_user_code_waits_until_released(self, guests: Guests) -> None:
        guests.start(A, user_data=b"#!/bin/sh\necho user code\n")
        assert guests.run(A, "ls", "/run/user-code").returncode != 0
        assert "boots" not in guests.console(A)
        guests.sandboxes.release(A)
        until(lambda: "user code" in guests.console(A), "user data")

    def test_release_twice_is_harmless(self, guests: Guests) -> None:
        guests.boot(A)
        guests.sandboxes.release(A)
        assert guests.console(A).count("boots") == 1

    def test_user_data_runs_once_and_its_output_is_in_both_logs(self, guests: Guests) -> None:
        guests.boot(A, user_data=b"#!/bin/sh\necho out; echo err >&2; echo run >>/root/runs\n")
        until(lambda: "ended with status 0" in guests.console(A), "user data's end")
        log = guests.run(A, "cat", "/var/log/cloud-init-output.log").stdout
        for text in ("out", "err"):
            assert text in log
            assert text in guests.console(A)
        guests.sandboxes.kill(A)
        guests.boot(A, boot=2, user_data=b"#!/bin/sh\necho run >>/root/runs\n")
        assert guests.run(A, "cat", "/root/runs").stdout == "run\n"

    def test_scripts_of_every_boot_run_at_every_boot(self, guests: Guests) -> None:
        directory = "/var/lib/cloud/scripts/per-boot"
        script = f"mkdir -p {directory}; cd {directory}; printf '#!/bin/sh\\necho again\\n' >it; chmod +x it"
        guests.boot(A)
        guests.run(A, "sh", "-c", script)
        for boot in (2, 3):
            guests.sandboxes.kill(A)
            guests.boot(A, boot=boot)
            until(lambda: "again" in guests.console(A), "the script's output")

    def test_the_disk_survives_a_restart(self, guests: Guests) -> None:
        guests.boot(A)
        guests.run(A, "sh", "-c", "echo kept >/root/file; echo kept >/usr/local/file; ln -s /etc /srv/link")
        guests.sandboxes.kill(A)
        guests.boot(A, boot=2)
        assert guests.run(A, "cat", "/root/file", "/usr/local/file").stdout == "kept\nkept\n"
        assert guests.run(A, "readlink", "/srv/link").stdout == "/etc\n"

    def test_compressed_user_data_runs(self, guests: Guests) -> None:
        guests.boot(A, user_data=gzip.compress(b"#!/bin/sh\necho unpacked\n"))
        until(lambda: "unpacked" in guests.console(A), "user data")

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            (b"#cloud-config\nruncmd: [ls]\n", "#cloud-config, which enid does not"),
            (b"echo hi\n", "does not begin with"),
        ],
    )
    def test_user_data_that_cannot_run_is_refused_on_the_console(
        self, guests: Guests, data: bytes, sentence: str
    ) -> None:
        guests.boot(A, user_data=data)
        until(lambda: sentence in guests.console(A), "a refusal")

    def test_the_name_is_the_instances(self, guests: Guests) -> None:
        guests.boot(A, hostname="ip-10-0-0-77")
        assert guests.run(A, "cat", "/etc/hostname", "/proc/sys/kernel/hostname").stdout == "ip-10-0-0-77\n" * 2

    def test_a_key_pair_opens_ssh_and_only_a_key_pair_starts_it(self, guests: Guests, tmp_path: Path) -> None:
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        guests.boot(A, authorized_keys=((tmp_path / "key.pub").read_text(),))
        guests.boot(B)
        login = "umask 77; cat >/root/key; exec ssh -n -i /root/key -o StrictHostKeyChecking=no -o UserKnownHostsFile="
        login += "/dev/null -o LogLevel=ERROR {}@127.0.0.1 id -un"
        for user in ("root", "ec2-user"):
            until(lambda: "sshd" in guests.run(A, "ps", "-e").stdout, "sshd")
            answer = guests.run(A, "sh", "-c", login.format(user), text=key.read_text())
            assert answer.stdout == f"{user}\n", answer.stderr
        assert "sshd" not in guests.run(B, "ps", "-e").stdout

    def test_init_takes_in_orphans_and_leaves_no_zombie(self, guests: Guests) -> None:
        guests.boot(A)
        orphan = "(sleep 0.1 & echo $!) >/root/orphan 2>&1"
        guests.run(A, "sh", "-c", orphan)
        pid = guests.run(A, "cat", "/root/orphan").stdout.strip()
        until(lambda: guests.run(A, "test", "-e", f"/proc/{pid}").returncode == 1, "the orphan's burial")


class TestEnds:
    def test_kill_ends_every_process_and_all_namespaces(self, guests: Guests) -> None:
        guests.boot(A)
        guests.run(A, "sh", "-c", "(sleep 1000; :) >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 &")
        pid = guests.pid(A)
        inside = namespace_of(pid, "pid")
        members = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _in_namespace(entry, inside)]
        assert len(members) >= 3
        guests.sandboxes.kill(A)
        until(lambda: not any(_in_namespace(Path(f"/proc/{member}"), inside) for member in members), "the end of all")
        assert not records.path_of(guests.settings.run_dir, A).exists()
        assert guests.sandboxes.network(A) is None
        guests.sandboxes.kill(A)

    def test_kill_says_nothing_and_a_start_after_it_waits_for_the_end(self, guests: Guests) -> None:
        guests.boot(A)
        first = guests.pid(A)
        guests.sandboxes.kill(A)
        guests.start(A, boot=2)
        assert guests.pid(A) != first
        assert not Path(f"/proc/{first}").exists() or records.birth(first) is None
        assert not [event for event in guests.events if event.what == "died"]

    def test_a_start_that_was_taken_back_leaves_nothing(self, guests: Guests) -> None:
        for number in range(12):
            guests.sandboxes.start(guests.spec(f"i-{number}"))
        for number in range(12):
            guests.sandboxes.kill(f"i-{number}")
        until(lambda: guests.settle() or guests.sandboxes.idle, "the end of all starts")
        assert guests.events == []
        assert guests.processes() == []
        assert guests.sandboxes.adopt() == {}

    def test_stop_lets_init_end_everybody_in_order(self, guests: Guests) -> None:
        guests.boot(A, user_data=b"#!/bin/sh\ntrap 'echo bye; exit' TERM\necho ready\nwhile :; do sleep 0.05; done\n")
        until(lambda: "ready" in guests.console(A), "the service")
        guests.sandboxes.stop(A, grace=10)
        guests.wait_event("died", A)
        assert "stopping" in guests.console(A)
        assert "bye" in guests.console(A)

    def test_stop_does_not_wait_for_an_init_that_was_not_released(self, guests: Guests) -> None:
        """It may not know yet what to do when it is asked."""
        for boot in range(1, 9):
            guests.start(A, boot)
            guests.sandboxes.stop(A, grace=600)
            guests.wait_event("died", A)
            guests.sandboxes.kill(A)
        assert "boots" not in guests.console(A)

    def test_stop_loses_patience(self, guests: Guests) -> None:
        guests.boot(A, user_data=b"#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.05; done\n")
        until(lambda: "ready" in guests.console(A), "the stubborn service")
        guests.sandboxes.stop(A, grace=0.2)
        guests.wait_event("died", A)
        assert guests.processes() == []

    def test_a_crash_is_told_and_then_known_as_lost(self, guests: Guests) -> None:
        guests.boot(A)
        crash(guests.settings.run_dir, A)
        guests.wait_event("died", A)
        assert list(guests.sandboxes.lost()) == [A]
        guests.sandboxes.kill(A)
        assert list(guests.sandboxes.lost()) == []
        with pytest.raises(NotRunning):
            crash(guests.settings.run_dir, A)

    def test_delete_takes_the_disk(self, guests: Guests) -> None:
        guests.boot(A)
        guests.sandboxes.delete(A)
        assert not (guests.settings.instances_dir / A).exists()
        trash = guests.settings.state_dir / "trash"
        until(lambda: not list(trash.iterdir()), "an empty trash")

    def test_cgroups_go_too(self, guests: Guests) -> None:
        guests.boot(A)
        record = records.read(records.path_of(guests.settings.run_dir, A))
        if not record.cgroups:
            pytest.skip("this host lets nobody make cgroups")
        assert all(Path(path).is_dir() for path in record.cgroups)
        guests.sandboxes.kill(A)
        until(lambda: guests.settle() or not any(Path(path).exists() for path in record.cgroups), "the cgroups' end")


class TestFailures:
    @pytest.mark.parametrize("trick", ["file", "link"])
    def test_a_disk_without_a_mount_point_fails_the_start_and_touches_nothing(self, guests: Guests, trick: str) -> None:
        """Root inside wrote the disk: a symbolic link must lead no mount of ours anywhere."""
        guests.boot(A)
        guests.sandboxes.kill(A)
        until(lambda: guests.settle() or guests.sandboxes.idle, "the end")
        upper = guests.settings.instances_dir / A / "disk/root/upper"
        if trick == "file":
            (upper / "proc").write_text("")
        else:
            (upper / "proc").symlink_to("/")
        mounts = self._mounts(guests)
        guests.sandboxes.start(guests.spec(A, boot=2))
        event = guests.wait_event("failed", A)
        assert "no directory /proc" in event.reason
        assert guests.processes() == []
        assert list(guests.sandboxes.lost()) == []
        assert self._mounts(guests) <= mounts

    def _mounts(self, guests: Guests) -> set[str]:
        """But for those in the directories of other tests, which go on meanwhile."""
        own, others = str(guests.settings.state_dir.parent), tempfile.gettempdir()
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return {line for line in lines if own in line or f" {others}/" not in line}

    def test_the_spawner_may_die(self, guests: Guests) -> None:
        guests.boot(A)
        os.kill(guests.sandboxes.spawner_pid, signal.SIGKILL)
        for number in range(6):
            guests.sandboxes.start(guests.spec(f"i-{number}"))
        for number in range(6):
            guests.wait_event("started", f"i-{number}")
        assert guests.run(A, "true").returncode == 0


AGENT = """
import select, sys
from pathlib import Path
from enid.guest.interface import InstanceSpec
from enid.guest.launcher import Launcher
from enid.guest.sandboxes import Sandboxes
from enid.netlink import namespaces
from enid.settings import Settings
sandboxes = Sandboxes(Settings(state_dir=Path(sys.argv[1]), run_dir=Path(sys.argv[2])))
for number in range(20):
    sandboxes.start(InstanceSpec(f"i-{number}", 1, "host", "ami-test", 1, 256))
while True:
    select.select([sandboxes], [], [])
    for event in sandboxes.events():
        print(event.what, event.id, flush=True)
"""


class TestAgentsComeAndGo:
    def test_the_next_agent_finds_what_runs(self, guests: Guests) -> None:
        guests.boot(A, boot=3)
        guests.start(B)
        pid = guests.pid(A)
        guests.sandboxes.close()
        guests.sandboxes = Sandboxes(guests.settings)
        found = guests.sandboxes.adopt()
        assert (found[A].pid, found[A].boot, set(found)) == (pid, 3, {A, B})
        assert guests.run(A, "true").returncode == 0
        guests.sandboxes.release(B)
        until(lambda: "boots" in guests.console(B), "the waiting one goes on")
        os.kill(pid, signal.SIGKILL)
        assert guests.wait_event("died", A).boot == 3

    def test_it_knows_what_died_meanwhile(self, guests: Guests) -> None:
        guests.boot(A)
        guests.sandboxes.close()
        os.kill(guests.pid(A), signal.SIGKILL)
        until(lambda: not guests.processes(), "its end")
        guests.sandboxes = Sandboxes(guests.settings)
        assert guests.sandboxes.adopt() == {}
        assert list(guests.sandboxes.lost()) == [A]

    def test_a_reused_pid_is_nobody(self, guests: Guests) -> None:
        """A record whose pid now is another process (here: ours)."""
        guests.sandboxes.close()
        path = records.path_of(guests.settings.run_dir, A)
        stranger = records.Record(A, 1, os.getpid(), 1, records.host_boot(), records.RUNNING)
        records.write(str(path), stranger)
        guests.sandboxes = Sandboxes(guests.settings)
        assert guests.sandboxes.adopt() == {}
        assert list(guests.sandboxes.lost()) == [A]
        guests.sandboxes.kill(A)
        assert list(guests.sandboxes.lost()) == []

    @pytest.mark.parametrize("announced", [0, 1, 7])
    def test_an_agent_killed_in_the_middle_of_starts_leaks_nothing(self, guests: Guests, announced: int) -> None:
        guests.sandboxes.close()
        places = [str(guests.settings.state_dir), str(guests.settings.run_dir)]
        with subprocess.Popen([sys.executable, "-c", AGENT, *places], stdout=subprocess.PIPE, text=True) as agent:
            told = {agent.stdout.readline().split()[1] for _ in range(announced)}
            agent.kill()
        guests.sandboxes = Sandboxes(guests.settings)
        found = guests.sandboxes.adopt()
        assert told <= set(found)
        until(lambda: guests.settle() or guests.sandboxes.idle, "the end of what was half made")
        assert sorted(guests.processes()) == sorted(running.pid for running in found.values())
        for number in range(20):
            guests.sandboxes.start(guests.spec(f"i-{number}"))
        for number in range(20):
            guests.wait_event("started", f"i-{number}")


class TestConfinement:
    def test_each_has_host_ids_of_its_own(self, guests: Guests) -> None:
        guests.boot(A)
        guests.boot(B)
        bases = [int(Path(f"/proc/{guests.pid(each)}/uid_map").read_text().split()[1]) for each in (A, B)]
        assert all(base >= FIRST and base % WIDTH == 0 for base in bases)
        assert bases[0] != bases[1]
        assert os.stat(f"/proc/{guests.pid(A)}").st_uid == bases[0]

    def test_packaged_services_find_their_shipped_configuration(self, guests: Guests) -> None:
        if not Path("/usr/sbin/nginx").exists():
            pytest.skip("no nginx here")
        guests.boot(A)
        assert guests.run(A, "nginx").returncode == 0
        assert "HTTP/1.1" in guests.run(A, "curl", "-sI", "http://127.0.0.1/").stdout

    def test_the_hosts_programs_are_roots(self, guests: Guests) -> None:
        guests.boot(A)
        assert guests.run(A, "stat", "-c", "%U %a", "/usr/bin/passwd", "/usr", "/etc").stdout.split()[0] == "root"
        assert guests.run(A, "su", "ec2-user", "-s", "/bin/sh", "-c", "id -un").stdout == "ec2-user\n"

    def test_memory_is_limited(self, guests: Guests) -> None:
        guests.boot(A, memory_mib=64)
        if not any("memory" in hierarchy.controllers for hierarchy in cgroups.prepare(guests.settings.run_dir)):
            pytest.skip("no memory controller here")
        hungry = "x = bytearray(256 << 20)\nprint('had it')"
        answer = guests.run(A, "/usr/bin/python3", "-c", hungry)
        assert "had it" not in answer.stdout
        assert answer.returncode != 0


class TestWithoutIdMappedMounts:
    """A file system that cannot map ids: all instances share one range, and the host's programs are nobody's."""

    def test_it_works_all_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Launcher, "can_map_ids", lambda *_: False)
        with world(tmp_path) as guests:
            guests.boot(A, user_data=b"#!/bin/sh\ntouch /etc/x /root/x /usr/local/x && echo wrote\n")
            guests.boot(B)
            until(lambda: "wrote" in guests.console(A), "user data")
            bases = {Path(f"/proc/{guests.pid(each)}/uid_map").read_text().split()[1] for each in (A, B)}
            assert bases == {str(FIRST)}
            assert guests.run(A, "stat", "-c", "%U", "/etc/passwd").stdout == "root\n"


class TestEntering:
    def test_status_arguments_and_streams_pass(self, guests: Guests) -> None:
        guests.boot(A)
        answer = guests.run(A, "sh", "-c", 'cat; echo "$1" >&2; exit 7', "sh", "a b", text="typed")
        assert (answer.returncode, answer.stdout, answer.stderr) == (7, "typed", "a b\n")
        assert guests.run(A, "sh", "-c", "kill -9 $$").returncode == 128 + 9
        assert guests.run(A, "no-such-command").returncode == 127
        assert guests.run(A, "/etc/passwd").returncode == 126

    def test_nothing_of_the_callers_environment_enters(self, guests: Guests, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENID_TEST_SECRET", "secret")
        guests.boot(A)
        assert "secret" not in guests.run(A, "env").stdout
        assert "secret" not in guests.run(A, "cat", "/proc/1/environ").stdout

    def test_a_terminal_is_one_inside_and_not_the_callers(self, guests: Guests) -> None:
        guests.boot(A)
        pid, terminal = pty.fork()
        if not pid:
            try:
                os._exit(enter(guests.settings.run_dir, A, ["sh", "-c", "tty; read line; echo got $line; exit 3"]))
            finally:
                os._exit(99)
        os.write(terminal, b"words\n")
        seen = b""
        while select.select([terminal], [], [], 10)[0]:
            try:
                seen += os.read(terminal, 4096)
            except OSError:
                break
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        assert b"/dev/pts/0" in seen
        assert b"got words" in seen

    def test_a_pinned_network_namespace_can_be_entered(self, guests: Guests, capfd: pytest.CaptureFixture[str]) -> None:
        """A site is no instance: only its network is its own."""
        pin = guests.settings.run_dir / "site-test"
        os.close(namespaces.new_pinned(pin))
        try:
            assert exec_in_namespace(guests.settings.run_dir, pin, ["sh", "-c", "cat /proc/net/dev; exit 3"]) == 3
            assert "eth" not in capfd.readouterr().out
            assert exec_in_namespace(guests.settings.run_dir, pin, ["no-such-command"]) == 127
        finally:
            namespaces.unpin(pin)
        with pytest.raises(NotRunning):
            exec_in_namespace(guests.settings.run_dir, pin, ["true"])

    def test_what_does_not_run_cannot_be_entered(self, guests: Guests) -> None:
        with pytest.raises(NotRunning):
            enter(guests.settings.run_dir, A, ["true"])


class TestMany:
    def test_fifty_at_once_take_two_megabytes_each_at_most(self, guests: Guests) -> None:
        names = [f"i-{number}" for number in range(50)]
        for name in names:
            guests.sandboxes.start(guests.spec(name))
        for name in names:
            guests.wait_event("started", name)
            guests.sandboxes.release(name)
        until(lambda: all("boots" in guests.console(name) for name in names), "fifty boots")
        total = sum(proportional_memory(pid) for pid in guests.processes())
        assert total / len(names) < 2 << 20
        assert len({namespace_of(guests.pid(name), "net") for name in names}) == 50


def _in_namespace(process: Path, name: str) -> bool:
    try:
        return os.readlink(process / "ns/pid") == name
    except OSError:
        return False
