"""The service as it is deployed: PostgreSQL, Ray head, Ray nodes, API and coordinator, each on a machine of its own.

See docker-compose.yml, whose commands these are. All machines see one volume, as they do there.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
from clocks import JumpingClock, why_no_jumping_clock
from machines import Machine, Network, network
from postgres import as_lesser_user, find_postgres
from processes import eventually, kill

from ose.access.token_keeper import TokenKeeper
from ose.access.token_marker import TokenMarker
from ose.client.remote import RemoteWorkspace
from ose.core.access import Scope
from ose.core.clock import utc_now
from ose.store.database import open_store

ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
_OSE = (sys.executable, "-m", "ose")
_PORT = 8000
_RAY_PORT = 6379
_UP_S = 90.0
_SMALL = f"--object-store-memory={128 * 1024**2}"

Log = Any


class Cluster:
    """Starts, kills and looks at every part of a deployment.

    Attributes:
        data: Where teachers and texts lie that a job over HTTP may name.
        store_url: The database, as seen from outside.
    """

    def __init__(self, lan: Network, folder: Path, nodes: Sequence[str], latency_node: str) -> None:
        self.folder = folder
        self.volume = folder / "volume"
        self.data = self.volume / "data"
        self.data.mkdir(parents=True)
        self.lan = lan
        self._secret = secrets.token_hex(32)
        self._latency_node = latency_node
        self.database, self.head, self.api, self.control = (
            lan.machine(name) for name in ("database", "head", "api", "control")
        )
        self.nodes = {name: lan.machine(name) for name in nodes}
        self.store_url = f"postgresql+psycopg://ose@/postgres?host={folder / 'socket'}"
        self._token = ""
        self._clock = None if why_no_jumping_clock() else JumpingClock(folder / "clock")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OSE_HOME": str(self.volume / "home"),
            "OSE_DATABASE_URL": f"postgresql+psycopg://ose@{self.database.address}/postgres",
            "OSE_RAY_ADDRESS": f"{self.head.address}:{_RAY_PORT}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self._secret,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
        }

    def start(self) -> None:
        self.make_database()
        self.start_database()
        self.start_head()
        for name in self.nodes:
            self.start_node(name)
        self._ray(self.control, "--num-cpus=0")
        with closing(open_store(self.store_url)) as store:
            tokens = TokenKeeper(store, utc_now, TokenMarker(self.volume / "home"))
            _, self._token = tokens.create("tests", Scope.SUBMIT)
        self.start_api()

    # The database.

    def make_database(self) -> None:
        programs = find_postgres()
        assert programs
        user = as_lesser_user(self._open_to_all("database-files"), self._open_to_all("socket"))
        options = ["--no-sync", "--no-instructions", "--auth=trust", "--username=ose", "--encoding=UTF8", "--locale=C"]
        data = self.folder / "database-files" / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, *options], check=True, stdout=subprocess.DEVNULL, cwd="/", **user
        )
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    def start_database(self) -> None:
        """Nothing that was committed may be lost: unlike the other tests' server, it writes before it answers."""
        programs = find_postgres()
        data, socket = self.folder / "database-files" / "data", self.folder / "socket"
        server = [str(programs / "postgres"), "-D", str(data), "-k", str(socket), "-h", self.database.address]
        who = as_lesser_user()
        become = ["setpriv", f"--reuid={who['user']}", f"--regid={who['group']}", "--clear-groups"]
        self.database.serve(self._log("database"), *become, *server, "-c", "fsync=off", environment={}, cwd="/")
        assert eventually(self._has_database, _UP_S), "PostgreSQL does not answer"

    def kill_database(self) -> None:
        kill(*self.database.processes("postgres"))

    def _has_database(self) -> bool:
        import psycopg

        try:
            psycopg.connect(host=str(self.folder / "socket"), user="ose", dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    # Ray.

    def start_head(self) -> None:
        self._ray(self.head, "--head", f"--port={_RAY_PORT}", "--num-cpus=0", "--include-dashboard=false")
        assert eventually(lambda: self.head.answers(_RAY_PORT), _UP_S), "the Ray head does not answer"

    def start_node(self, name: str) -> None:
        resources = ['--resources={"latency_cpu": 1}'] if name == self._latency_node else []
        self._ray(self.nodes[name], "--num-cpus=1", *resources)

    def _ray(self, machine: Machine, *options: str) -> None:
        where = [] if "--head" in options else [f"--address={self.head.address}:{_RAY_PORT}"]
        command = ["ray", "start", *where, f"--node-ip-address={machine.address}", _SMALL, "--block", *options]
        machine.serve(self._log(machine.name), *command, environment=self.environment)

    # Our own.

    @property
    def url(self) -> str:
        return f"http://{self.api.address}:{_PORT}"

    @contextmanager
    def client(self) -> Iterator[RemoteWorkspace]:
        """The API as somebody on its own machine sees it, who may submit."""
        with self.api.network(), RemoteWorkspace(self.url, self._token) as remote:
            yield remote

    def start_api(self) -> None:
        options = ["--host", self.api.address, "--port", str(_PORT), "--data-root", str(self.data)]
        self.api.serve(self._log("api"), *_OSE, "serve", *options, environment=self.environment)
        assert eventually(lambda: self.api.answers(_PORT), _UP_S), f"the API does not answer: {self.told('api')}"

    def kill_api(self) -> None:
        kill(*self.api.processes("ose serve"))
        assert eventually(lambda: not self.api.answers(_PORT)), "its last threads keep the port"

    def start_coordinator(self) -> None:
        environment = {**self.environment, **(self._clock.environment if self._clock else {})}
        self.control.serve(self._log("coordinator"), *_OSE, "coordinator", environment=environment)

    def coordinators(self) -> dict[str, psutil.Process]:
        """By what the names begin with that they give themselves in the database."""
        running = self.control.processes("ose coordinator")
        return {f"{self.control.name}:{self.control.number_of(each)}:": each for each in running}

    def kill_coordinator(self, owner: str | None = None) -> None:
        """The owner of a job; any one if that is none of them."""
        running = self.coordinators()
        names = [name for name in running if owner and owner.startswith(name)] or list(running)
        kill(running[names[0]])

    def jump_clock(self, seconds: int) -> None:
        """Set the wall clock of all coordinators so far from the truth."""
        assert self._clock
        self._clock.jump_to(seconds)

    def _open_to_all(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def told(self, name: str) -> str:
        """The end of what a part has printed."""
        return (self.folder / "logs" / name).read_text()[-2000:]

    def _log(self, name: str) -> Path:
        (self.folder / "logs").mkdir(exist_ok=True)
        return self.folder / "logs" / name


@contextmanager
def cluster(nodes: Sequence[str] = ("left", "right"), latency_node: str = "right") -> Iterator[Cluster]:
    with network() as lan:
        made = Cluster(lan, lan.folder / "shared", nodes, latency_node)
        made.start()
        yield made
