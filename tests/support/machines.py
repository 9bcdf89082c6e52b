"""Machines without machines: Linux namespaces with an address, a name, temporary files and processes of their own.

Whatever runs on a machine ends with it, and all machines end with whoever made them, killed or not.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil

_SUBNET = "10.77.0"
_READY = "ready"
_CLONE_NEWNET = 0x40000000

_TMP = "/mnt"
"""Where a machine keeps its temporary files: a short path, because Ray's sockets are in them."""

# The first process of a machine: it buries the orphans that any process may leave.
_INIT = """
hostname "$1" && ip link set lo up && mount --make-rprivate / && mount --bind "$2" "$3" || exit 1
echo ready
while :; do sleep 3600 & wait $!; done
"""


def why_no_machines() -> str | None:
    """Why namespaces cannot be made here; None if they can."""
    for program in ("unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "ip", "link", "add", "try0", "type", "bridge"],
        capture_output=True,
        text=True,
    )
    return None if tried.returncode == 0 else f"no network namespaces: {tried.stderr.strip() or 'not permitted'}"


def _own_environment() -> dict[str, str]:
    """What this process has been told of Ray and of us is no machine's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_", "OSE_"))}


class Machine:
    """One of a network's machines. One that was killed is started again by `start`: empty, under the same address."""

    def __init__(self, name: str, address: str, folder: Path, plug: Callable[[Machine], None]) -> None:
        self.name = name
        self.address = address
        self.tmp = folder
        self._plug = plug
        self._init: subprocess.Popen[str] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self.start()

    @property
    def is_up(self) -> bool:
        return self._init is not None

    @property
    def pid(self) -> int:
        """Of its first process, as seen from outside."""
        assert self._init
        [child] = psutil.Process(self._init.pid).children()
        return child.pid

    def start(self) -> None:
        shutil.rmtree(self.tmp, ignore_errors=True)
        self.tmp.mkdir(parents=True)
        self.tmp.chmod(0o1777)
        command = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._init = subprocess.Popen(
            [*command, "bash", "-c", _INIT, "init", self.name, str(self.tmp), _TMP],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=_end_with_parent,
        )
        assert self._init.stdout and self._init.stdout.readline().strip() == _READY
        self._plug(self)

    def kill(self) -> None:
        """As if the power was cut."""
        if self._init is not None:
            os.kill(self.pid, signal.SIGKILL)
            self._init.communicate()
            for process in self._started:
                process.wait()
            self._init, self._started = None, []

    def popen(self, *command: str, environment: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen:
        """Start a program on it."""
        where = ["nsenter", f"--target={self.pid}", "--net", "--uts", "--pid", "--mount"]
        return subprocess.Popen(
            [*where, *command], env={**_own_environment(), "TMPDIR": _TMP, **(environment or {})}, **options
        )

    def serve(self, log: Path, *command: str, environment: Mapping[str, str], **options: Any) -> None:
        """Start a program that runs until it is killed, and writes to `log`."""
        with log.open("a") as file:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": subprocess.STDOUT}
            self._started.append(self.popen(*command, environment=environment, **pipes, **options))

    def run(self, *command: str, environment: Mapping[str, str] | None = None, timeout_s: float = 120) -> str:
        """Run a program on it to its end, which must be a success."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with self.popen(*command, environment=environment, **pipes) as process:
            try:
                told, _ = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == 0, f"{command} on {self.name}: {told}"
        return str(told)

    def processes(self, title: str = "") -> list[psutil.Process]:
        """What runs on it beside its first process, with `title` somewhere in the command line."""
        if not self.is_up:
            return []
        init = self.pid
        namespace = os.readlink(f"/proc/{init}/ns/pid")
        found = [each for each in psutil.process_iter() if each.pid != init and _namespace(each) == namespace]
        return [each for each in found if title in _title(each) and not _title(each).startswith("sleep 3600")]

    def answers(self, port: int) -> bool:
        """Whether anything listens there."""
        with self.network(), socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.address, port)) == 0

    def number_of(self, process: psutil.Process) -> int:
        """The process's id as the machine itself knows it."""
        status = Path(f"/proc/{process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("NSpid:")]
        return int(line.split()[-1])

    @contextmanager
    def network(self) -> Iterator[None]:
        """Connections that this thread opens meanwhile are this machine's."""
        with open(f"/proc/self/task/{threading.get_native_id()}/ns/net") as home:
            with open(f"/proc/{self.pid}/ns/net") as there:
                _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


class Network:
    """Machines on one bridge, which is on a machine of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)
        self.machines: list[Machine] = []
        self._switch = Machine("switch", "", folder / "switch", lambda _: None)
        self._switch.run("ip", "link", "add", "hub", "type", "bridge")
        self._switch.run("ip", "link", "set", "hub", "up")

    def machine(self, name: str) -> Machine:
        address = f"{_SUBNET}.{next(self._numbers)}"
        machine = Machine(name, address, self.folder / name, self._plug)
        self.machines.append(machine)
        return machine

    def close(self) -> None:
        for machine in [*self.machines, self._switch]:
            machine.kill()

    def _plug(self, machine: Machine) -> None:
        peer = ["peer", "name", "eth0", "netns", str(machine.pid)]
        subprocess.run(
            [
                "nsenter",
                f"--net=/proc/{self._switch.pid}/ns/net",
                "ip",
                "link",
                "add",
                machine.name,
                "type",
                "veth",
                *peer,
            ],
            check=True,
        )
        self._switch.run("ip", "link", "set", machine.name, "master", "hub", "up")
        machine.run("ip", "address", "add", f"{machine.address}/24", "dev", "eth0")
        machine.run("ip", "link", "set", "eth0", "up")


@contextmanager
def cut(one: Machine, other: Machine) -> Iterator[None]:
    """Lose all that these two send each other; both still reach everybody else."""
    for here, there in ((one, other), (other, one)):
        here.run("ip", "route", "add", "blackhole", f"{there.address}/32")
    yield
    for here, there in ((one, other), (other, one)):
        here.run("ip", "route", "delete", "blackhole", f"{there.address}/32")


@contextmanager
def network() -> Iterator[Network]:
    folder = Path(tempfile.mkdtemp(prefix="ose-net-"))
    folder.chmod(0o755)
    made = Network(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _namespace(process: psutil.Process) -> str:
    try:
        return os.readlink(f"/proc/{process.pid}/ns/pid")
    except OSError:
        return ""


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
