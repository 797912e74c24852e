"""Root inside a sandbox tries the known ways out. Each attempt must fail, and fail for the reason it should.

An attempt is a piece of Python run inside; it either raises OSError, whose errno has to be one of the expected ones, or
prints what it reached. So a broken attempt (wrong call, missing program) does not pass for a safe sandbox.
"""

from __future__ import annotations

import ast
import ctypes
import json
import os
import platform
import re
import socket
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_sandboxes import Guests, world

from entering import inside

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the attempts are written in Python"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the attempts use x86-64 system call numbers"),
]

PRELUDE = """
import ctypes, errno, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result
def call(number, *arguments):
    converted = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *converted))
def write(path, text="1"):
    fd = os.open(path, os.O_WRONLY)
    if os.fstat(fd).st_rdev == os.makedev(1, 3):
        raise OSError(errno.EACCES, "only /dev/null is there")
    os.write(fd, text.encode())
def attempt():
{attempt}
try:
    print(json.dumps({"reached": repr(attempt())}))
except OSError as error:
    print(json.dumps({"refused": errno.errorcode.get(error.errno, str(error))}))
"""

DENIED = {"EPERM", "EACCES"}
ABSENT = {"EPERM", "ENOSYS"}
"""Some kernels are built without the call."""
NO_WRITE = {"EPERM", "EACCES", "EROFS", "ENOENT"}

REFUSED = {
    # Mounts and namespaces
    "mount a tmpfs": ("checked(libc.mount(b'x', b'/mnt', b'tmpfs', 0, None))", DENIED),
    "mount proc": ("checked(libc.mount(b'x', b'/mnt', b'proc', 0, None))", DENIED),
    "mount cgroup": ("checked(libc.mount(b'x', b'/mnt', b'cgroup2', 0, None))", DENIED),
    "bind mount": ("checked(libc.mount(b'/proc', b'/mnt', None, 4096, None))", DENIED),
    "remount /proc/sys writable": ("checked(libc.mount(None, b'/proc/sys', None, 4096 | 32, None))", DENIED),
    "unmount /proc/sys": ("checked(libc.umount2(b'/proc/sys', 2))", DENIED),
    "unmount /usr": ("checked(libc.umount2(b'/usr', 2))", DENIED),
    "pivot_root": ("call(155, b'/', b'/mnt')", DENIED),
    "copy a mount": ("call(428, -100, b'/', 1)", DENIED),
    "fsopen": ("call(430, b'tmpfs', 0)", DENIED),
    "new user namespace": ("checked(libc.unshare(0x10000000))", {"ENOSPC", "EPERM"}),
    "new mount namespace": ("checked(libc.unshare(0x20000))", DENIED),
    "new pid namespace": ("checked(libc.unshare(0x20000000))", DENIED),
    "new network namespace": ("checked(libc.unshare(0x40000000))", DENIED),
    "clone3 into a new user namespace": (
        "call(435, b'\\0\\0\\0\\x10' + b'\\0' * 84, 88) or os._exit(0)",
        {"ENOSPC", "EPERM"},
    ),
    "new user and network namespaces at once": ("checked(libc.unshare(0x50000000))", {"ENOSPC", "EPERM"}),
    "new cgroup namespace": ("checked(libc.unshare(0x2000000))", DENIED),
    "new IPC namespace": ("checked(libc.unshare(0x8000000))", DENIED),
    "new time namespace": ("checked(libc.unshare(0x80))", {"EPERM", "EINVAL"}),
    "join init's user namespace": ("checked(libc.setns(os.open('/proc/1/ns/user', 0), 0))", {"EINVAL", *DENIED}),
    "join init's network namespace": ("checked(libc.setns(os.open('/proc/1/ns/net', 0), 0))", DENIED),
    "join init's pid namespace": ("checked(libc.setns(os.open('/proc/1/ns/pid', 0), 0))", {"EINVAL", *DENIED}),
    "join all of init's at once": ("checked(libc.setns(call(434, 1, 0), 0x60020000))", {"EINVAL", *DENIED}),
    "move a mount": ("call(429, os.open('/proc', 0x200000), b'', -100, b'/mnt', 4)", DENIED),
    "change a mount's attributes": ("call(442, -100, b'/usr', 0, b'\\0' * 8 + b'\\1' + b'\\0' * 23, 32)", DENIED),
    "join init's mount namespace": ("checked(libc.setns(os.open('/proc/1/ns/mnt', 0), 0))", DENIED),
    "allow user namespaces": ("write('/proc/sys/user/max_user_namespaces', '100')", NO_WRITE),
    # The kernel
    "load a module from memory": ("call(175, b'', 0, b'')", ABSENT),
    "load a module from a file": ("call(313, 0, b'', 0)", ABSENT),
    "remove a module": ("call(176, b'veth', 0)", ABSENT),
    "load another kernel": ("call(246, 0, 0, 0, 0)", ABSENT),
    # Command 0 only lets Ctrl-Alt-Del ask init: harmless should it ever work, and needs the same privilege.
    "reboot(2)": ("call(169, 0xfee1dead, 672274793, 0, 0)", DENIED),
    "set the clock": ("call(227, 0, (ctypes.c_long * 2)(0, 0))", DENIED),
    "clear the kernel log": ("call(103, 5, None, 0)", DENIED),
    "I/O ports": ("call(172, 3)", ABSENT),
    "accounting": ("call(163, None)", ABSENT),
    "swap on": ("call(167, b'/swapfile', 0)", ABSENT),
    "a disk's quota": ("call(179, 0x800002 << 8, b'/', 0, None)", {"EPERM", "ENOSYS", "ENOTBLK", "ENODEV"}),
    "load another kernel from a file": ("call(320, 0, 0, 0, None, 0)", ABSENT),
    "set the day": ("call(164, (ctypes.c_long * 2)(0, 0), None)", DENIED),
    "bend the clock": ("call(159, b'\\2\\0\\0\\0' + b'\\0' * 204)", DENIED),
    "hang up the terminal": ("call(153)", DENIED),
    "all I/O ports": ("call(173, 0x80, 1, 1)", ABSENT),
    "raise the limit of files": ("call(302, 0, 7, (ctypes.c_long * 2)(1 << 30, 1 << 30), None)", {"EPERM"}),
    "a nicer priority for all": ("checked(libc.setpriority(2, 0, -20))", {"EPERM", "EACCES"}),
    "a real-time priority": ("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))", {"EPERM"}),
    "lock all memory": (
        "checked(libc.mlock(ctypes.create_string_buffer(1 << 26), 1 << 26))",
        {"EPERM", "ENOMEM", "EAGAIN"},
    ),
    "bpf(2), a device's program": ("call(321, 5, b'\\x0f' + b'\\0' * 127, 128)", DENIED),
    "bpf(2), somebody's program": ("call(321, 13, b'\\1' + b'\\0' * 127, 128)", DENIED),
    "swap off": ("call(168, b'/swapfile')", ABSENT),
    "bpf(2), a tracing program": ("call(321, 5, b'\\x05' + b'\\0' * 127, 128)", DENIED),
    "perf, everybody's events": ("call(298, b'\\1\\0\\0\\0\\x78' + b'\\0' * 123, -1, 0, -1, 0)", DENIED),
    "userfaultfd, kernel faults": ("call(323, 0)", ABSENT),
    "open a file by handle": ("call(304, -100, b'\\x08\\0\\0\\0\\1\\0\\0\\0' + b'\\0' * 120, 0)", DENIED),
    # Doors in /proc and /sys
    "core_pattern": ("write('/proc/sys/kernel/core_pattern', '|/x')", NO_WRITE),
    "modprobe": ("write('/proc/sys/kernel/modprobe', '/x')", NO_WRITE),
    "binfmt_misc": ("write('/proc/sys/fs/binfmt_misc/register', ':x:')", NO_WRITE),
    "panic": ("write('/proc/sys/kernel/panic', '1')", NO_WRITE),
    "overcommit": ("write('/proc/sys/vm/overcommit_memory', '1')", NO_WRITE),
    "sysrq-trigger": ("write('/proc/sysrq-trigger', 'h')", NO_WRITE),
    "uevent_helper": ("write('/sys/kernel/uevent_helper', '/x')", NO_WRITE),
    "power state": ("write('/sys/power/state', 'mem')", NO_WRITE),
    "the agent's hard limits": ("write('/proc/sys/fs/file-max')", NO_WRITE),
    "everybody's flows": ("write('/proc/sys/net/netfilter/nf_conntrack_max')", NO_WRITE),
    "how many user namespaces there are": ("write('/proc/sys/user/max_net_namespaces', '9')", NO_WRITE),
    "who init may not kill": ("write('/proc/1/oom_score_adj', '-1000')", {"EACCES", "EPERM"}),
    "another id map": ("write('/proc/self/uid_map', '0 0 1')", DENIED),
    "interrupts": ("write('/proc/irq/default_smp_affinity')", NO_WRITE),
    "a bus": ("write('/proc/bus/pci/devices')", NO_WRITE),
    "a driver": ("write('/sys/bus/pci/rescan')", NO_WRITE),
    "kernel memory": ("open('/proc/kcore', 'rb').read(8) or write('/proc/kcore')", NO_WRITE),
    "release_agent": ("write('/sys/fs/cgroup/release_agent', '/x')", NO_WRITE),
    "own cgroup's limits": ("write('/sys/fs/cgroup/memory.max', 'max')", NO_WRITE),
    # Devices
    "make a disk's node": ("os.mknod('/root/disk', 0o060666, os.makedev(8, 0))", DENIED),
    "make a memory node": ("os.mknod('/root/mem', 0o020666, os.makedev(1, 1))", DENIED),
    "open /dev/mem": ("os.open('/dev/mem', 0)", {"ENOENT"}),
    "open /dev/kmsg": ("os.open('/dev/kmsg', 0)", {"ENOENT"}),
}


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    with world(tmp_path_factory.mktemp("escape")) as made:
        made.boot("i-jail")
        yield made


def attempt(guests: Guests, code: str) -> dict[str, str]:
    """What came of a piece of Python: its last expression's value, or the errno it was refused with."""
    lines = code.strip().splitlines()
    lines[-1] = f"return {lines[-1]}"
    program = PRELUDE.replace("{attempt}", textwrap.indent("\n".join(lines), "    "))
    answer = guests.run("i-jail", "/usr/bin/python3", "-c", program)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def reached(guests: Guests, code: str) -> str:
    return attempt(guests, code)["reached"]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(guests: Guests, name: str) -> None:
    code, reasons = REFUSED[name]
    if name.startswith("userfaultfd") and Path("/proc/sys/vm/unprivileged_userfaultfd").read_text() == "1\n":
        pytest.skip("this host allows it to everybody")
    outcome = attempt(guests, code)
    assert outcome.get("refused") in reasons, f"{name}: {outcome}"


def test_what_is_allowed_is_not_refused(guests: Guests) -> None:
    """The control: attempts can succeed."""
    assert "reached" in attempt(guests, "os.open('/etc/passwd', os.O_RDONLY)")
    assert "reached" in attempt(guests, "write('/proc/sys/net/ipv4/ip_forward', '1')")


class TestWhatCannotBeSeen:
    def test_the_hosts_files(self, guests: Guests, tmp_path: Path) -> None:
        """Neither enid's own directories nor anybody's home; also not through /proc/1/root or a climbing path."""
        (tmp_path / "secret").write_text("secret")
        hidden = [str(tmp_path), str(guests.settings.state_dir), str(guests.settings.run_dir), str(Path(__file__))]
        hidden += [str(path) for path in Path("/root").iterdir() if path.name not in (".bashrc", ".profile")]
        hidden += [str(path) for path in Path("/home").iterdir() if path.name != "ec2-user"]
        hidden += [str(path) for path in Path("/etc").glob("*key*")] + ["/etc/enid", "/etc/sudoers.d"]
        assert len(hidden) >= 5
        code = f"[p for p in {hidden!r} for r in ('', '/proc/1/root', '/../..') if os.path.lexists(r + p)]"
        assert reached(guests, code) == "[]"

    def test_the_hosts_passwords_and_keys(self, guests: Guests) -> None:
        shadow = guests.run("i-jail", "cat", "/etc/shadow").stdout
        assert shadow.startswith("root:*:")
        assert all(line.split(":")[1] == "*" for line in shadow.splitlines())
        names = guests.run("i-jail", "find", "/etc", "-name", "*ssh_host*", "-o", "-name", "*.key").stdout
        assert names == ""
        assert guests.run("i-jail", "cat", "/etc/machine-id").stdout == ""

    def test_the_hosts_processes(self, guests: Guests) -> None:
        pids = reached(guests, "sorted(int(p) for p in os.listdir('/proc') if p.isdigit())")
        assert len(json.loads(pids)) < 10
        assert attempt(guests, f"os.kill({os.getpid()}, 0)") == {"refused": "ESRCH"}

    def test_mounts_tell_no_path_of_the_host(self, guests: Guests) -> None:
        table = guests.run("i-jail", "cat", "/proc/self/mountinfo").stdout
        assert str(guests.settings.state_dir) not in table
        assert str(guests.settings.run_dir) not in table

    def test_descriptors_of_init_lead_nowhere(self, guests: Guests) -> None:
        targets = reached(guests, "sorted({os.readlink('/proc/1/fd/' + fd) for fd in os.listdir('/proc/1/fd')})")
        console = str(guests.settings.instances_dir / "i-jail/console.log")
        assert set(eval(targets)) <= {"/dev/null", console, "/etc/enid-init"}

    def test_the_hosts_abstract_sockets(self, guests: Guests) -> None:
        name = f"\0enid-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(name)
            server.listen()
            client.connect(name)  # the host itself reaches it
            assert attempt(guests, f"socket.socket(socket.AF_UNIX).connect({name!r})") == {"refused": "ECONNREFUSED"}

    def test_the_hosts_interfaces(self, guests: Guests) -> None:
        assert reached(guests, "[name for _, name in socket.if_nameindex()]") == "['lo']"
        assert reached(guests, "os.listdir('/sys/class/net')") == "['lo']"

    def test_the_hosts_keys(self, guests: Guests) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        key = libc.syscall(248, b"user", b"enid-test", b"secret", ctypes.c_long(6), ctypes.c_long(-3))
        assert key > 0
        try:
            buffer = ctypes.create_string_buffer(16)
            assert libc.syscall(250, ctypes.c_long(11), ctypes.c_long(key), buffer, ctypes.c_long(16)) == 6
            outcome = attempt(guests, f"call(250, 11, {key}, ctypes.create_string_buffer(16), 16)")
            assert outcome.get("refused") in {"EACCES", "ENOKEY"}
        finally:
            libc.syscall(250, ctypes.c_long(9), ctypes.c_long(key), ctypes.c_long(-3))

    def test_the_starters_environment(self, guests: Guests) -> None:
        names = reached(
            guests, "sorted(v.split(b'=')[0].decode() for v in open('/proc/1/environ','rb').read().split(b'\\0') if v)"
        )
        assert set(eval(names)) == {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER", "container"}

    def test_nothing_of_the_host_is_writable(self, guests: Guests) -> None:
        """Every file in /proc and /sys, opened for writing: what is its own network's, or its own process's, and no
        more. A file that was opened is not written to."""
        code = """
found = []
for top in ('/proc/sys', '/proc/fs', '/proc/irq', '/proc/bus', '/sys'):
    for directory, names, files in os.walk(top):
        for name in files:
            path = directory + '/' + name
            try:
                fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            except OSError:
                continue
            if os.fstat(fd).st_rdev != os.makedev(1, 3) and not path.startswith('/proc/sys/net/'):
                found.append(path)
            os.close(fd)
found
"""
        assert reached(guests, code) == "[]"

    def test_a_networks_settings_are_its_own(self, guests: Guests) -> None:
        """Whatever its root may write in /proc/sys/net, the host keeps what it has."""
        before = _settings()
        code = """
count = 0
for directory, names, files in os.walk('/proc/sys/net'):
    for name in files:
        try:
            text = open(directory + '/' + name).read().split()
            if len(text) == 1 and text[0].isdigit():
                write(directory + '/' + name, str(int(text[0]) ^ 1))
                count += 1
        except OSError:
            pass
count > 50
"""
        assert reached(guests, code) == "True"
        after = _settings()
        assert {name: value for name, value in after.items() if before.get(name) != value} == {}

    def test_its_devices_are_the_harmless_ones(self, guests: Guests) -> None:
        """Those that there are. On what it shares with the host, a node is no device."""
        code = """
import stat
found = set()
for directory, names, files in os.walk('/'):
    names[:] = [name for name in names if directory + name not in ('/proc', '/sys', '/usr')]
    paths = [directory.rstrip('/') + '/' + name for name in files]
    found |= {path for path in paths if stat.S_IFMT(os.lstat(path).st_mode) in (stat.S_IFCHR, stat.S_IFBLK)}
sorted(path for path in found if not path.startswith('/dev/pts/'))
"""
        nodes = set(ast.literal_eval(reached(guests, code)))
        assert "/dev/null" in nodes
        assert nodes <= {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "net/tun")}
        mounts = guests.run("i-jail", "cat", "/proc/self/mounts").stdout
        assert "nodev" in next(line for line in mounts.splitlines() if line.split()[1] == "/usr")

    def test_the_hosts_shared_memory(self, guests: Guests) -> None:
        """System V's, by its key; the host itself finds it."""
        libc, key = ctypes.CDLL(None, use_errno=True), 0x656E6964
        shared = libc.shmget(key, 4096, 0o1666)
        assert shared >= 0
        try:
            assert libc.shmget(key, 0, 0) == shared
            assert attempt(guests, f"checked(libc.shmget({key}, 0, 0))") == {"refused": "ENOENT"}
        finally:
            libc.shmctl(shared, 0, None)

    def test_the_hosts_processes_take_no_signal_and_no_trace(self, guests: Guests) -> None:
        """Not by number, not by descriptor, not as a group, and not as everybody."""
        with subprocess.Popen(["sleep", "60"], start_new_session=True) as sleeper:
            try:
                for code in (
                    f"os.kill({sleeper.pid}, 9)",
                    f"os.killpg({sleeper.pid}, 9)",
                    f"call(434, {sleeper.pid}, 0)",
                    f"checked(libc.ptrace(16, {sleeper.pid}, None, None))",
                    f"checked(libc.setpriority(0, {sleeper.pid}, 19))",
                    f"os.sched_setaffinity({sleeper.pid}, [0])",
                    f"call(324, {sleeper.pid}) or call(440, {sleeper.pid})",
                ):
                    outcome = attempt(guests, code)
                    assert outcome.get("refused") in {"ESRCH", "EINVAL", "EPERM"}, code
                guests.run("i-jail", "/usr/bin/python3", "-c", "import os; os.kill(-1, 9)")
                assert sleeper.poll() is None
            finally:
                sleeper.kill()

    def test_the_agents_sockets(self, guests: Guests) -> None:
        """Neither by a path of the host's nor by what any process inside has open."""
        run = str(guests.settings.run_dir)
        for name in ("agent.sock", "services.sock", "api"):
            refused = attempt(guests, f"socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect('{run}/{name}')")
            assert refused == {"refused": "ENOENT"}
        code = "[line for line in open('/proc/net/unix').read().splitlines()[1:] if '/' in line]"
        assert run not in reached(guests, code)


def _settings() -> dict[str, str]:
    """The host's, of its network: those that nobody else changes while a test runs."""
    found = {}
    for top in ("core", "ipv4", "ipv6", "netfilter", "unix"):
        for path in Path("/proc/sys/net", top).glob("*"):
            if path.is_file() and not re.search("count|random|route/flush", str(path)):
                try:
                    found[str(path)] = path.read_text()
                except OSError:
                    continue
    return found


class TestOldTricks:
    def test_chroot_and_climb(self, guests: Guests) -> None:
        """The classic: keep a descriptor of the old root, chroot below it, climb from the descriptor."""
        code = """
os.makedirs('/tmp/jail', exist_ok=True)
top = os.open('/', os.O_RDONLY)
os.chroot('/tmp/jail')
os.fchdir(top)
for _ in range(64): os.chdir('..')
os.chroot('.')
os.path.exists('/tmp/jail'), os.path.exists('/proc/1/ns')
"""
        assert reached(guests, code) == "(True, True)"  # back at its own root, no further

    def test_a_set_user_id_file_for_the_host(self, guests: Guests) -> None:
        """Root inside makes a set-user-id root program on its disk: on the host it belongs to nobody that matters."""
        guests.run("i-jail", "sh", "-c", "cp /bin/sh /root/suid; chmod 4755 /root/suid")
        file = guests.settings.instances_dir / "i-jail/disk/root/upper/root/suid"
        assert file.stat().st_uid >= 0x20000000
        assert (guests.settings.instances_dir / "i-jail/disk").stat().st_mode & 0o077 == 0

    def test_init_may_be_asked_but_not_killed(self, guests: Guests) -> None:
        guests.run("i-jail", "kill", "-9", "1")
        assert guests.run("i-jail", "true").returncode == 0

    def test_a_fork_bomb_ends_at_the_limit(self, guests: Guests) -> None:
        record = json.loads((guests.settings.run_dir / "instances/i-jail.json").read_text())
        limits = [Path(path) / "pids.max" for path in record["cgroups"] if (Path(path) / "pids.max").exists()]
        if not limits:
            pytest.skip("no pids controller here")
        allowed = limits[0].read_text()
        assert 0 < int(allowed) <= 8192
        code = """
children = []
try:
    while len(children) < 1000:
        pid = os.fork()
        if not pid:
            os.read(end, 1)
            os._exit(0)
        children.append(pid)
except OSError as error:
    reason = error.errno
os.close(hold)
for pid in children: os.waitpid(pid, 0)
(errno.errorcode.get(reason), len(children) < 64)
"""
        limits[0].write_text("64")  # a bomb of its true size would take the machine's time
        try:
            assert reached(
                guests, "end, hold = os.pipe()" + code.replace("os.read(end", "os.close(hold); os.read(end")
            ) == ("('EAGAIN', True)")
            assert subprocess.run(["true"], check=False).returncode == 0
        finally:
            limits[0].write_text(allowed)
        assert guests.run("i-jail", "true").returncode == 0

    def test_memory_ends_at_the_limit(self, guests: Guests) -> None:
        """Whoever takes more than the instance has is killed; neither init nor the host minds."""
        record = json.loads((guests.settings.run_dir / "instances/i-jail.json").read_text())
        names = ("memory.max", "memory.limit_in_bytes")
        limits = [Path(path) / name for path in record["cgroups"] for name in names if (Path(path) / name).exists()]
        if not limits:
            pytest.skip("no memory controller here")
        assert int(limits[0].read_text()) == 512 << 20
        take = "kept = [bytearray(b'x') * (1 << 20) for _ in range(600)]; print('all')"
        answer = guests.run("i-jail", "/usr/bin/python3", "-c", take)
        assert "all" not in answer.stdout
        assert answer.returncode != 0
        assert guests.run("i-jail", "true").returncode == 0

    def test_a_terminals_input_cannot_be_faked(self, guests: Guests) -> None:
        """Standard input may be the host's terminal. TIOCSTI would type there."""
        ours, theirs = os.openpty()
        try:
            program = "import fcntl; fcntl.ioctl(0, 0x5412, b'x')"
            command = inside(guests.settings.run_dir, "i-jail", "/usr/bin/python3", "-c", program)
            answer = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=30, check=False)
            assert answer.returncode == 1
            assert "PermissionError" in answer.stderr or "OSError" in answer.stderr
        finally:
            os.close(ours)
            os.close(theirs)

    def test_capabilities_are_few_and_stay_few(self, guests: Guests) -> None:
        status = guests.run("i-jail", "cat", "/proc/self/status", "/proc/1/status").stdout
        sets = [line.split()[1] for line in status.splitlines() if line.startswith(("CapPrm", "CapEff", "CapBnd"))]
        assert len(sets) == 6
        held = int(sets[0], 16)
        assert {int(each, 16) for each in sets} == {held}
        for forbidden in (2, 9, 16, 17, 19, 20, 21, 22, 24, 25, 27, 34, 38, 39, 40):
            assert not held & 1 << forbidden, forbidden
