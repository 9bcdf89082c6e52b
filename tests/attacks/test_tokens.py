"""Who gets in, whatever has become of the tokens: real servers, their databases, and what stands before them."""

from __future__ import annotations

import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import builders
import httpx2
import pytest
from served import run, served
from services import serving
from sqlalchemy import text, update

from ose.api.context import ServerOptions
from ose.bootstrap import Workspace
from ose.core.access import Scope
from ose.search.coordinator import utc_now
from ose.store.engine import connect
from ose.store.service_tables import TOKENS

JOBS = "/api/v1/jobs"
TOKENS_PATH = "/api/v1/tokens"
POLL_S = 0.2

FORGOTTEN = "all tokens expired or revoked, or an emptied database: a restarted server is open"
PROXIED = "an open server answers what came through a proxy"
FIXED = "whether tokens are asked for is decided when a server starts"
STREAM = "an event stream outlives its token"
LOCKED = "ten wrong tokens lock out the right one"
HEADER = "the address is taken from a header that anybody writes"
FILES = "other users of the machine read the files"
NAMES = "an open server answers to other names"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspace(home) as workspace:
        yield workspace


def status(url: str, path: str = JOBS, token: str | None = None, **headers: str) -> int:
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url + path, headers={**shown, **headers}, timeout=30).status_code


def bare(url: str, request: str) -> int:
    """The status of an answer to a request that no library would write."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request.encode())
        return int(connection.recv(100).split()[1])


def sql(home_or_url: Path | str, *statements: str) -> None:
    url = home_or_url if isinstance(home_or_url, str) else f"sqlite:///{home_or_url}/ose.db"
    with closing(connect(url)) as transactions, transactions.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def with_token(home: Path, more: dict[str, str] | None = None) -> str:
    status, shown, err = run(home, "token", "create", "me", "--scope", "admin", more=more)
    assert status == 0, err
    return shown


def refusal(home: Path, *options: str, more: dict[str, str] | None = None) -> str:
    status, _, err = run(home, "serve", "--port", "0", *options, more=more)
    assert status == 2 and len(err.splitlines()) == 1, err
    return err


# What a server remembers of tokens


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="as found")
def test_a_server_whose_tokens_are_revoked_stays_shut(home: Path) -> None:
    shown = with_token(home)
    run(home, "token", "revoke", shown.split("_")[1])
    with served(home) as server:
        assert "no token is valid" in server.first_line and "token create" in server.first_line
        assert [status(server.url), status(server.url, token=shown)] == [401, 401]
        made = httpx2.post(server.url + TOKENS_PATH, json={"name": "x", "scope": "admin"}, timeout=30)
        assert made.status_code == 401


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="expired, on every kind of database, in a home of its own")
def test_a_server_whose_tokens_have_expired_stays_shut(store_url: str, home: Path, tmp_path: Path) -> None:
    more = {"OSE_DATABASE_URL": store_url}
    shown = with_token(tmp_path / "elsewhere", more)
    with closing(connect(store_url)) as transactions, transactions.write() as connection:
        connection.execute(update(TOKENS).values(expires_at=utc_now() - timedelta(days=1)))
    with served(home, more=more) as server:
        assert "no token is valid" in server.first_line
        assert [status(server.url), status(server.url, token=shown)] == [401, 401]
    assert (home / "asks-for-tokens").is_file()


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="as found: the rows are deleted")
def test_a_server_whose_database_was_emptied_does_not_start(home: Path) -> None:
    with_token(home)
    sql(home, "DELETE FROM tokens")
    told = refusal(home)
    assert str(home / "asks-for-tokens") in told and "begin anew" in told


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="the tables are gone, on every kind of database")
def test_a_server_whose_tables_are_gone_does_not_start(new_url: Callable[[], str], home: Path) -> None:
    with_token(home, {"OSE_DATABASE_URL": new_url()})
    other = {"OSE_DATABASE_URL": new_url()}
    assert "asks-for-tokens" in refusal(home, more=other)
    assert "asks-for-tokens" in refusal(home, more=other), "the refusal has made a database that opens the server"


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="the file is gone, and a listing has made a new one")
def test_a_server_whose_database_was_removed_does_not_start(home: Path) -> None:
    with_token(home)
    for file in home.glob("ose.db*"):
        file.unlink()
    refusal(home)
    assert not (home / "ose.db").exists(), "what is brought back must not meet another one"
    assert run(home, "job", "list")[0] == 0
    refusal(home)


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="a server alone saw the token, in a home of its own")
def test_a_server_remembers_a_token_that_others_made(postgres, home: Path, tmp_path: Path) -> None:
    with postgres.database() as url:
        more = {"OSE_DATABASE_URL": url}
        shown = with_token(tmp_path / "elsewhere", more)
        with served(home, more=more) as server:
            assert [status(server.url), status(server.url, token=shown)] == [401, 200]
        sql(url, "DELETE FROM tokens")
        refusal(home, more=more)


def test_the_ways_to_begin_anew(home: Path) -> None:
    with_token(home)
    sql(home, "DELETE FROM tokens")
    with served(home, "--without-tokens") as server:
        assert status(server.url) == 200
    refusal(home)
    (home / "asks-for-tokens").unlink()
    with served(home) as server:
        assert status(server.url) == 200 and "open to everybody on this machine" in server.first_line
    with_token(home)
    sql(home, "DELETE FROM tokens")
    shown = with_token(home)
    with served(home) as server:
        assert [status(server.url), status(server.url, token=shown)] == [401, 200]


def test_what_was_opened_on_purpose_is_open_to_this_machine_alone_and_hands_out_no_keys(home: Path) -> None:
    with_token(home)
    assert "--without-tokens" in refusal(home, "--without-tokens", "--host", "0.0.0.0")
    with served(home, "--without-tokens") as server:
        assert "open to everybody on this machine" in server.first_line
        assert [status(server.url), status(server.url, **{"X-Forwarded-For": "1.2.3.4"})] == [200, 403]
        made = httpx2.post(server.url + TOKENS_PATH, json={"name": "x", "scope": "admin"}, timeout=30)
        assert made.status_code == 403 and status(server.url, TOKENS_PATH) == 403


@pytest.mark.skipif("os.geteuid() == 0 and not __import__('shutil').which('setpriv')", reason="root writes anywhere")
@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="in a home that cannot be written, so remembers nothing")
def test_a_home_that_cannot_remember_is_not_open(home: Path) -> None:
    from ose.errors import StorageError
    from ose.service.door import must_ask
    from ose.service.token_marker import TokenMarker

    marker = TokenMarker(Path("/proc/self/home"))  # not even root makes anything there
    with pytest.raises(StorageError, match="--without-tokens"):
        must_ask(marker, has_tokens=False)
    assert must_ask(marker, has_tokens=True)
    with pytest.raises(StorageError), Workspace(home) as workspace:
        workspace.tokens._marker = marker
        type(workspace.tokens)(workspace.store, utc_now, marker).create("x", Scope.READ)
    assert workspace.tokens.list() == []


# A door that shuts while a server runs


@pytest.mark.attack(door="tokens", fault=FIXED, how="as found: a token made at the command line")
def test_a_token_shuts_a_server_that_was_open(home: Path) -> None:
    with served(home) as server:
        assert status(server.url) == 200
        shown = with_token(home)
        assert [status(server.url), status(server.url, token=shown)] == [401, 200]
        assert status(server.url, token=shown, **{"X-Forwarded-For": "1.2.3.4", "Host": "ose.example.org"}) == 200


@pytest.mark.attack(door="tokens", fault=FIXED, how="made over HTTP by a caller without one")
def test_a_token_made_over_http_shuts_the_server_and_is_told(home: Path) -> None:
    with served(home) as server:
        made = httpx2.post(server.url + TOKENS_PATH, json={"name": "x", "scope": "admin"}, timeout=30)
        again = httpx2.post(server.url + TOKENS_PATH, json={"name": "y", "scope": "admin"}, timeout=30)
        assert [made.status_code, again.status_code, status(server.url)] == [201, 401, 401]
        assert made.json()["id"] in server.told and made.json()["token"] not in server.told
        assert "securitySchemes" in httpx2.get(server.url + "/openapi.json", timeout=30).json()["components"]


@pytest.mark.attack(door="tokens", fault=FIXED, how="made on another machine; only requests of a proxy come")
def test_a_token_of_another_machine_lets_a_proxy_through(store_url: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    via = {"X-Forwarded-For": "1.2.3.4", "Host": "ose.example.org"}
    with Workspace(tmp_path / "here") as here, serving(here, ServerOptions()) as url:
        assert status(url, **via) == 403
        with Workspace(tmp_path / "there") as there:
            _, shown = there.tokens.create("x", Scope.READ)
        assert [status(url, **via), status(url, token=shown, **via), status(url)] == [401, 200, 401]
        assert (tmp_path / "here" / "asks-for-tokens").is_file()


# Proxies, names and headers


@pytest.mark.attack(door="tokens", fault=PROXIED, how="as found")
def test_an_open_server_makes_no_token_for_a_proxy(home: Path) -> None:
    with served(home) as server:
        sent = {"X-Forwarded-For": "203.0.113.7"}
        made = httpx2.post(server.url + TOKENS_PATH, json={"name": "x", "scope": "admin"}, headers=sent, timeout=30)
        assert made.status_code == 403 and "x-forwarded-for" in made.json()["detail"]
        assert {status(server.url, path, **sent) for path in (JOBS, "/healthz", "/docs", "/metrics")} == {403}
        assert run(home, "token", "list", "--format", "json")[1] == "[]"


SIGNS = [
    "Forwarded",
    "VIA",
    "X-Real-IP",
    "x-forwarded-proto",
    "X-Forwarded-Host",
    "X_Forwarded_For",
    "CF-Connecting-IP",
]


@pytest.mark.attack(door="tokens", fault=PROXIED, how="by other headers, an empty one among them, or by HTTP/1.0")
def test_an_open_server_knows_other_signs_of_a_proxy(workspace: Workspace) -> None:
    with serving(workspace, ServerOptions()) as url:
        assert {sign: status(url, **{sign: "x"}) for sign in SIGNS} == dict.fromkeys(SIGNS, 403)
        assert status(url, **{"X-Forwarded-For": ""}) == 403
        assert bare(url, f"GET {JOBS} HTTP/1.0\r\nHost: 127.0.0.1:8000\r\nConnection: close\r\n\r\n") == 403
        assert status(url) == 200


OTHERS = ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::1].evil.example", "localhost.", "0.0.0.0"]
OTHERS += ["[::]", "localhost:80:80", "localhost:evil", "127.0.0.1@evil.example", "[::1", "[fe80::1]", "", " "]
OWN = ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "127.8.8.8", "[::1]:8000", "[0:0:0:0:0:0:0:1]"]


@pytest.mark.attack(door="tokens", fault=NAMES, how="as found: `[::1]` before another name")
def test_an_open_server_answers_to_its_own_names(workspace: Workspace) -> None:
    with serving(workspace, ServerOptions()) as url:
        statuses = {host: bare(url, f"GET {JOBS} HTTP/1.1\r\nHost: {host}\r\n\r\n") for host in OTHERS}
        assert set(statuses.values()) <= {400, 421}, statuses
        assert {host: bare(url, f"GET {JOBS} HTTP/1.1\r\nHost: {host}\r\n\r\n") for host in OWN} == dict.fromkeys(
            OWN, 200
        )


@pytest.mark.attack(door="tokens", fault=NAMES, how="two names at once, and none")
def test_an_open_server_wants_one_name(workspace: Workspace) -> None:
    with serving(workspace, ServerOptions()) as url:
        two = bare(url, f"GET {JOBS} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        none = bare(url, f"GET {JOBS} HTTP/1.1\r\n\r\n")
        whole = bare(url, f"GET http://evil.example{JOBS} HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert {two, none, whole} <= {400, 421}


@pytest.mark.attack(door="tokens", fault=HEADER, how="as found: --trusted-proxy '*'")
def test_not_everybody_is_a_trusted_proxy(home: Path) -> None:
    assert "'*' is no address" in refusal(home, "--trusted-proxy", "*")


TOO_WIDE = [
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/8",
    "198.51.100.0/23",
    "8.8.8.0/24",
    "proxy",
    "127.0.0.1,*",
    "",
    "10.0.0.1/24",
]


@pytest.mark.attack(door="tokens", fault=HEADER, how="networks, names, and `*` behind an address")
def test_no_wide_network_is_a_trusted_proxy() -> None:
    from ose.api.proxies import trusted_proxies
    from ose.errors import InvalidInputError

    for each in TOO_WIDE:
        with pytest.raises(InvalidInputError, match="--trusted-proxy"):
            trusted_proxies(each)
    assert trusted_proxies("127.0.0.1, 10.1.2.0/24,fd00::1") == ["127.0.0.1", "10.1.2.0/24", "fd00::1"]


# Wrong tokens beside right ones


def guesses(url: str, count: int, **headers: str) -> list[int]:
    return [status(url, token=f"ose_00000000_{number:043}", **headers) for number in range(count)]


@pytest.mark.attack(door="tokens", fault=LOCKED, how="as found")
def test_wrong_tokens_do_not_lock_the_right_one_out(home: Path) -> None:
    shown = with_token(home)
    with served(home) as server:
        assert guesses(server.url, 12) == [401] * 10 + [429] * 2
        assert status(server.url, token=shown) == 200


@pytest.mark.attack(door="tokens", fault=LOCKED, how="behind a trusted proxy, of no shape, while guessing goes on")
def test_wrong_tokens_of_one_caller_are_not_another_ones(home: Path) -> None:
    shown = with_token(home)
    with served(home, "--trusted-proxy", "127.0.0.1") as server:
        guesser, other = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
        assert [status(server.url, token="nonsense", **guesser) for _ in range(11)] == [401] * 10 + [429]
        turned = {"X-Forwarded-For": "9.9.9.9, 203.0.113.7"}  # what the caller itself has sent stands to the left
        assert status(server.url, token="nonsense", **turned) == 429
        assert status(server.url, token="nonsense", **other) == 401
        assert status(server.url, token=shown, **guesser) == 200


@pytest.mark.attack(door="tokens", fault=HEADER, how="another address in each request, without a trusted proxy")
def test_a_header_of_the_callers_does_not_change_its_address(workspace: Workspace) -> None:
    workspace.tokens.create("x", Scope.READ)
    with serving(workspace, ServerOptions()) as url:
        codes = [
            guesses(url, 1, **{"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.0.0.{n}"})[0] for n in range(12)
        ]
        assert codes == [401] * 10 + [429] * 2


# Long answers


@contextmanager
def following(url: str, token: str | None) -> Iterator[threading.Thread]:
    """A stream of a job's events that has begun; the thread ends when it does."""
    begun = threading.Event()

    def read() -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with httpx2.stream("GET", f"{url}{JOBS}/job-1/events", headers=headers, timeout=60) as answer:
            for _ in answer.iter_raw():
                begun.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert begun.wait(30)
    time.sleep(3 * POLL_S)
    assert thread.is_alive()
    yield thread


def ends(thread: threading.Thread) -> bool:
    thread.join(POLL_S * 10)
    return not thread.is_alive()


@pytest.mark.attack(door="tokens", fault=STREAM, how="as found: revoked, while another's goes on")
def test_a_stream_ends_with_its_token(workspace: Workspace) -> None:
    workspace.store.add_job(builders.new_job("job-1"))
    (one, shown), (_, other) = (workspace.tokens.create(name, Scope.READ) for name in "ab")
    with serving(workspace, ServerOptions(poll_s=POLL_S)) as url:
        with following(url, shown) as thread, following(url, other) as another:
            workspace.tokens.revoke(one.id)
            assert ends(thread) and another.is_alive()
            workspace.store.cancel_job("job-1", builders.NOW)
            assert ends(another)


@pytest.mark.attack(door="tokens", fault=STREAM, how="expired, on every kind of database")
def test_a_stream_ends_when_its_token_expires(store_url: str, home: Path, monkeypatch) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    with Workspace(home) as workspace:
        workspace.store.add_job(builders.new_job("job-1"))
        token, shown = workspace.tokens.create("x", Scope.READ, valid_days=1)
        with serving(workspace, ServerOptions(poll_s=POLL_S)) as url, following(url, shown) as thread:
            with closing(connect(store_url)) as transactions, transactions.write() as connection:
                moved = update(TOKENS).where(TOKENS.c.id == token.id)
                connection.execute(moved.values(expires_at=utc_now() + timedelta(seconds=POLL_S)))
            assert ends(thread)


@pytest.mark.attack(door="tokens", fault=STREAM, how="begun without a token, before there was one")
def test_a_stream_without_a_token_ends_with_the_first_one(workspace: Workspace) -> None:
    workspace.store.add_job(builders.new_job("job-1"))
    with serving(workspace, ServerOptions(poll_s=POLL_S)) as url, following(url, None) as thread:
        workspace.tokens.create("x", Scope.READ)
        assert ends(thread)


# Files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.attack(door="tokens", fault=FILES, how="as found, with a mask that hides nothing")
def test_what_a_server_writes_is_its_owners(home: Path) -> None:
    with served(home, mask=0) as server:
        httpx2.post(server.url + TOKENS_PATH, json={"name": "x"}, timeout=30)
        files = {path.name: mode(path) for path in home.iterdir()}
        assert set(files) == {"ose.db", "ose.db-wal", "ose.db-shm", "asks-for-tokens"}
        assert set(files.values()) == {0o600} and mode(home) == 0o700


@pytest.mark.attack(door="tokens", fault=FILES, how="of an older home, of studies and of artifacts")
def test_what_older_ones_left_open_is_closed(home: Path) -> None:
    with Workspace(home) as workspace:
        artifacts = workspace.artifacts
        studies = Path(workspace.store.studies_url().removeprefix("sqlite:///"))
        assert mode(artifacts) == 0o700 and mode(studies) == 0o600
    for path, old in ((home, 0o755), (artifacts, 0o755), (studies, 0o644), (home / "ose.db", 0o644)):
        path.chmod(old)
    held = sqlite3.connect(home / "ose.db")  # so that its log stays
    held.execute("CREATE TABLE held (a)")
    for suffix in ("-wal", "-shm"):
        (home / f"ose.db{suffix}").chmod(0o644)
    with served(home) as server:
        assert {mode(path) for path in home.glob("ose.db*")} == {0o600} and mode(artifacts) == 0o700
        assert "chmod 700" in server.told
    held.close()
    with Workspace(home) as workspace:
        workspace.store.studies_url()
    assert mode(studies) == 0o600


@pytest.mark.attack(door="tokens", fault=FILES, how="a job's files, in a home that was there before")
def test_folders_are_made_for_their_owner(home: Path) -> None:
    home.mkdir(mode=0o755)
    assert run(home, "coordinator", "--until-empty", mask=0)[0] == 0
    assert {path.name: mode(path) for path in home.iterdir() if path.is_dir()} == {"artifacts": 0o700}
