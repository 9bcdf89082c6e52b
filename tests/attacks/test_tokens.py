"""Who gets in, whatever has become of the tokens: real servers, their databases, and what stands before them.

Tests ose/access/gate.py, ose/access/token_keeper.py, ose/access/token_marker.py, ose/api/proxies.py,
ose/api/this_machine.py, ose/cli/serve.py and ose/core/clock.py too.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import builders
import httpx2
import pytest
from served import run, served
from services import serving
from sqlalchemy import delete, update

from ose.access.gate import must_ask
from ose.access.token_keeper import TokenKeeper
from ose.access.token_marker import TokenMarker
from ose.api.dependencies import ServerOptions
from ose.api.proxies import trusted_proxies
from ose.core.access import Scope
from ose.core.clock import utc_now
from ose.errors import InvalidInputError, StorageError, StoreError
from ose.store.database import connect
from ose.store.service_tables import TOKENS
from ose.workspace import Workspace

JOBS = "/api/v1/jobs"
KEYS = "/api/v1/tokens"
POLL_S = 0.2

FORGOTTEN = "all tokens expired or revoked, or an emptied database: a restarted server is open"
PROXIED = "an open server answers what came through a proxy"
FIXED = "whether tokens are asked for is decided when a server starts"
STREAM = "an event stream outlives its token"
LOCKED = "ten wrong tokens lock out the right one"
HEADER = "a caller's address is taken from a header that anybody writes"
NAMES = "an open server answers to other names"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def workspace(home: Path) -> Iterator[Workspace]:
    with Workspace(home) as workspace:
        yield workspace


@pytest.fixture
def enter() -> Iterator[Callable[..., Any]]:
    """Enters contexts that end with the test."""
    with ExitStack() as stack:
        yield stack.enter_context


def status(url: str, path: str = JOBS, token: str | None = None, **headers: str) -> int:
    shown = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.get(url + path, headers={**shown, **headers}, timeout=30).status_code


def ask_for_a_token(url: str, **headers: str) -> httpx2.Response:
    return httpx2.post(url + KEYS, json={"name": "x", "scope": "admin"}, headers=headers, timeout=30)


def bare(url: str, head: str) -> int:
    """The status of an answer to a head that no library would write."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"GET {head}\r\n\r\n".encode())
        return int(connection.recv(100).split()[1])


def change(url: str, statement: Any) -> None:
    with closing(connect(url)) as transactions, transactions.write() as connection:
        connection.execute(statement)


def refusal(home: Path) -> str:
    """Why a server of a home does not start; the command line prints it and ends."""
    with Workspace(home) as workspace, pytest.raises(StoreError) as caught:
        workspace.must_ask_for_tokens()
    assert str(home / "asks-for-tokens") in str(caught.value) and "begin anew" in str(caught.value)
    return str(caught.value)


# What is remembered of tokens


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="as found")
def test_a_server_whose_tokens_are_revoked_stays_shut(home: Path, workspace: Workspace) -> None:
    token, shown = workspace.tokens.create("x", Scope.ADMIN)
    workspace.tokens.revoke(token.id)
    with served(home) as server:
        assert "no token is valid" in server.first_line and "token create" in server.first_line
        assert [status(server.url), status(server.url, token=shown)] == [401, 401]
        assert ask_for_a_token(server.url).status_code == 401


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="expired, on every kind of database, in a home of its own")
def test_a_server_whose_tokens_have_expired_stays_shut(store_url: str, home: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    with Workspace(tmp_path / "elsewhere") as elsewhere:
        _, shown = elsewhere.tokens.create("x", Scope.ADMIN)
    change(store_url, update(TOKENS).values(expires_at=utc_now() - timedelta(days=1)))
    with served(home) as server:
        assert "no token is valid" in server.first_line
        assert [status(server.url), status(server.url, token=shown)] == [401, 401]
    assert (home / "asks-for-tokens").is_file()


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="as found: an emptied database")
def test_a_server_whose_database_was_emptied_does_not_start(home: Path, workspace: Workspace) -> None:
    workspace.tokens.create("x", Scope.ADMIN)
    change(f"sqlite:///{home}/ose.db", delete(TOKENS))
    code, _, err = run(home, "serve", "--port", "0")
    assert code == 2 and err == f"error: {refusal(home)}"


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="without rows or without tables, on every kind of database")
def test_a_server_whose_tables_are_gone_does_not_start(new_url: Callable[[], str], home: Path, monkeypatch) -> None:
    url, other = new_url(), new_url()
    monkeypatch.setenv("OSE_DATABASE_URL", url)
    with Workspace(home) as workspace:
        workspace.tokens.create("x", Scope.ADMIN)
    change(url, delete(TOKENS))
    refusal(home)
    monkeypatch.setenv("OSE_DATABASE_URL", other)
    refusal(home)
    refusal(home)  # the first one has made nothing that opens the server
    monkeypatch.setenv("OSE_DATABASE_URL", url)
    with closing(connect(url)) as transactions, transactions.write() as connection:
        TOKENS.drop(connection)
    refusal(home)


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="the file is gone, and a listing has made a new one")
def test_a_server_whose_database_was_removed_does_not_start(home: Path) -> None:
    with Workspace(home) as workspace:
        workspace.tokens.create("x", Scope.ADMIN)
    (home / "ose.db").unlink()
    refusal(home)
    assert not (home / "ose.db").exists(), "what is brought back must not meet another one"
    with Workspace(home) as workspace:
        assert workspace.jobs() == []
    refusal(home)


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="the server alone has seen the token, in a home of its own")
def test_a_server_remembers_a_token_that_others_made(store_url: str, home: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    with Workspace(tmp_path / "elsewhere") as elsewhere:
        elsewhere.tokens.create("x", Scope.ADMIN)
    with Workspace(home) as workspace:
        assert workspace.must_ask_for_tokens()
    change(store_url, delete(TOKENS))
    refusal(home)


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="opened on purpose, and then asked for more than was meant")
def test_what_was_opened_on_purpose_is_open_to_this_machine_alone(home: Path, workspace: Workspace) -> None:
    token, _ = workspace.tokens.create("x", Scope.ADMIN)
    code, _, err = run(home, "serve", "--without-tokens", "--host", "0.0.0.0")
    assert code == 2 and "leave out --without-tokens" in err
    with served(home, "--without-tokens") as server:
        assert "open to everybody on this machine" in server.first_line
        assert [status(server.url), status(server.url, **{"X-Forwarded-For": "1.2.3.4"})] == [200, 403]
        assert ask_for_a_token(server.url).status_code == status(server.url, KEYS) == 403
        assert httpx2.delete(f"{server.url}{KEYS}/{token.id}", timeout=30).status_code == 403


@pytest.mark.attack(door="tokens", fault=FORGOTTEN, how="in a home that cannot be written, and so remembers nothing")
def test_a_home_that_cannot_remember_is_not_open(workspace: Workspace) -> None:
    marker = TokenMarker(Path("/proc/self/home"))  # not even root makes anything there
    with pytest.raises(StorageError, match="--without-tokens"):
        must_ask(marker, has_tokens=False)
    assert must_ask(marker, has_tokens=True)
    with pytest.raises(StorageError):
        TokenKeeper(workspace.store, utc_now, marker).create("x", Scope.READ)
    assert workspace.tokens.list() == []


def test_the_ways_to_begin_anew(home: Path, workspace: Workspace) -> None:
    workspace.tokens.create("x", Scope.ADMIN)
    change(f"sqlite:///{home}/ose.db", delete(TOKENS))
    refusal(home)
    (home / "asks-for-tokens").unlink()
    assert not workspace.must_ask_for_tokens()
    workspace.tokens.create("x", Scope.ADMIN)
    change(f"sqlite:///{home}/ose.db", delete(TOKENS))
    workspace.tokens.create("x", Scope.ADMIN)
    assert workspace.must_ask_for_tokens()


# A door that shuts while a server runs


@pytest.mark.attack(door="tokens", fault=FIXED, how="as found: a token made at the command line")
def test_a_token_shuts_a_server_that_was_open(home: Path) -> None:
    with served(home) as server:
        assert "open to everybody on this machine" in server.first_line and status(server.url) == 200
        _, shown, _ = run(home, "token", "create", "me")
        assert [status(server.url), status(server.url, token=shown)] == [401, 200]
        assert status(server.url, token=shown, **{"X-Forwarded-For": "1.2.3.4", "Host": "ose.example.org"}) == 200


@pytest.mark.attack(door="tokens", fault=FIXED, how="made over HTTP by a caller without one")
def test_a_token_made_over_http_shuts_the_server_and_is_told(workspace: Workspace, caplog) -> None:
    with serving(workspace, ServerOptions()) as url:
        assert "securitySchemes" not in httpx2.get(url + "/openapi.json", timeout=30).json()["components"]
        made, again = ask_for_a_token(url), ask_for_a_token(url)
        assert [made.status_code, again.status_code, status(url)] == [201, 401, 401]
        assert made.json()["id"] in caplog.text and made.json()["token"] not in caplog.text
        assert "securitySchemes" in httpx2.get(url + "/openapi.json", timeout=30).json()["components"]


@pytest.mark.attack(door="tokens", fault=FIXED, how="made on another machine, while only a proxy asks")
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
def test_an_open_server_makes_no_token_for_a_proxy(home: Path, workspace: Workspace) -> None:
    with served(home) as server:
        sent = {"X-Forwarded-For": "203.0.113.7"}
        made = ask_for_a_token(server.url, **sent)
        assert made.status_code == 403 and "x-forwarded-for" in made.json()["detail"]
        assert {status(server.url, path, **sent) for path in (JOBS, "/healthz", "/docs", "/metrics")} == {403}
        assert workspace.tokens.list() == []


SIGNS = ["Forwarded", "VIA", "X-Real-IP", "x-forwarded-proto", "X-Forwarded-Host", "X_Forwarded_For"]
SIGNS += ["CF-Connecting-IP", "True-Client-IP", "X-Original-URL", "Proxy-Connection"]


@pytest.mark.attack(door="tokens", fault=PROXIED, how="by other headers, also an empty one, and by HTTP/1.0")
def test_an_open_server_knows_other_signs_of_a_proxy(workspace: Workspace) -> None:
    with serving(workspace, ServerOptions()) as url:
        assert {sign: status(url, **{sign: "x"}) for sign in SIGNS} == dict.fromkeys(SIGNS, 403)
        assert status(url, **{"X-Forwarded-For": ""}) == 403
        assert bare(url, f"{JOBS} HTTP/1.0\r\nHost: 127.0.0.1:8000\r\nConnection: close") == 403
        assert status(url) == 200


OTHERS = ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "[::1].evil.example", "localhost.", "0.0.0.0"]
OTHERS += ["[::]", "localhost:80:80", "localhost:evil", "127.0.0.1@evil.example", "[::1", "[fe80::1]", "", " "]
OWN = ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "127.8.8.8", "[::1]:8000", "[0:0:0:0:0:0:0:1]"]


@pytest.mark.attack(door="tokens", fault=NAMES, how="as found: another name behind `[::1]`")
def test_an_open_server_answers_to_its_own_names(workspace: Workspace) -> None:
    with serving(workspace, ServerOptions()) as url:
        statuses = {host: bare(url, f"{JOBS} HTTP/1.1\r\nHost: {host}") for host in OTHERS}
        assert set(statuses.values()) <= {400, 421}, statuses
        assert {host: bare(url, f"{JOBS} HTTP/1.1\r\nHost: {host}") for host in OWN} == dict.fromkeys(OWN, 200)


@pytest.mark.attack(door="tokens", fault=NAMES, how="two names at once, none, and one in the first line")
def test_an_open_server_wants_one_name(workspace: Workspace) -> None:
    with serving(workspace, ServerOptions()) as url:
        two = bare(url, f"{JOBS} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example")
        none = bare(url, f"{JOBS} HTTP/1.1")
        whole = bare(url, f"http://evil.example{JOBS} HTTP/1.1\r\nHost: evil.example")
        assert {two, none, whole} <= {400, 421}


@pytest.mark.attack(door="tokens", fault=HEADER, how="as found: --trusted-proxy '*'")
def test_not_everybody_is_a_trusted_proxy(home: Path) -> None:
    code, _, err = run(home, "serve", "--port", "0", "--trusted-proxy", "*")
    assert code == 2 and "'*' is no address" in err


TOO_WIDE = ["0.0.0.0/0", "::/0", "10.0.0.0/8", "198.51.100.0/23", "8.8.8.0/24", "proxy", "127.0.0.1,*", ""]
TOO_WIDE += ["10.0.0.1/24", "fd00::/64"]


@pytest.mark.attack(door="tokens", fault=HEADER, how="networks, names, and `*` behind an address")
def test_no_wide_network_is_a_trusted_proxy() -> None:
    for each in TOO_WIDE:
        with pytest.raises(InvalidInputError, match="--trusted-proxy"):
            trusted_proxies(each)
    assert trusted_proxies("127.0.0.1, 10.1.2.0/24,fd00::1") == ["127.0.0.1", "10.1.2.0/24", "fd00::1"]


# Wrong tokens beside right ones


def guesses(url: str, count: int, **headers: str) -> list[int]:
    return [status(url, token=f"ose_00000000_{number:043}", **headers) for number in range(count)]


@pytest.mark.attack(door="tokens", fault=LOCKED, how="as found")
def test_wrong_tokens_do_not_lock_the_right_one_out(workspace: Workspace) -> None:
    _, shown = workspace.tokens.create("x", Scope.READ)
    with serving(workspace, ServerOptions()) as url:
        assert guesses(url, 12) == [401] * 10 + [429] * 2
        assert status(url, token=shown) == 200


@pytest.mark.attack(door="tokens", fault=LOCKED, how="of no shape, behind a trusted proxy, by one who names others")
def test_wrong_tokens_of_one_caller_are_not_another_ones(home: Path, workspace: Workspace) -> None:
    _, shown = workspace.tokens.create("x", Scope.READ)
    with served(home, "--trusted-proxy", "127.0.0.1") as server:
        guesser, other = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
        assert [status(server.url, token="nonsense", **guesser) for _ in range(11)] == [401] * 10 + [429]
        turned = {"X-Forwarded-For": "203.0.113.8, 203.0.113.7"}  # what the caller itself has sent stands to the left
        assert status(server.url, token="nonsense", **turned) == 429
        assert status(server.url, token="nonsense", **other) == 401
        assert status(server.url, token=shown, **guesser) == 200


@pytest.mark.attack(door="tokens", fault=HEADER, how="another address in each request, without a trusted proxy")
def test_a_header_of_the_callers_does_not_change_its_address(workspace: Workspace) -> None:
    workspace.tokens.create("x", Scope.READ)
    with serving(workspace, ServerOptions()) as url:
        names = ("X-Forwarded-For", "X-Real-IP", "Forwarded")
        codes = [guesses(url, 1, **dict.fromkeys(names, f"10.0.0.{number}"))[0] for number in range(12)]
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
    thread.join(10 * POLL_S)
    return not thread.is_alive()


@pytest.mark.attack(door="tokens", fault=STREAM, how="as found: revoked, while another's goes on")
def test_a_stream_ends_with_its_token(workspace: Workspace, enter: Callable[..., Any]) -> None:
    workspace.store.add_job(builders.new_job("job-1"))
    (one, shown), (_, other) = (workspace.tokens.create(name, Scope.READ) for name in "ab")
    url = enter(serving(workspace, ServerOptions(poll_s=POLL_S)))
    thread, another = enter(following(url, shown)), enter(following(url, other))
    workspace.tokens.revoke(one.id)
    assert ends(thread) and another.is_alive()
    workspace.store.cancel_job("job-1", builders.NOW)
    assert ends(another)


@pytest.mark.attack(door="tokens", fault=STREAM, how="expired, on every kind of database")
def test_a_stream_ends_when_its_token_expires(store_url: str, home: Path, monkeypatch, enter) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    workspace = enter(Workspace(home))
    workspace.store.add_job(builders.new_job("job-1"))
    token, shown = workspace.tokens.create("x", Scope.READ, valid_days=1)
    thread = enter(following(enter(serving(workspace, ServerOptions(poll_s=POLL_S))), shown))
    soon = utc_now() + timedelta(seconds=POLL_S)
    change(store_url, update(TOKENS).where(TOKENS.c.id == token.id).values(expires_at=soon))
    assert ends(thread)


@pytest.mark.attack(door="tokens", fault=STREAM, how="begun without a token, before there was one")
def test_a_stream_without_a_token_ends_with_the_first_one(workspace: Workspace) -> None:
    workspace.store.add_job(builders.new_job("job-1"))
    with serving(workspace, ServerOptions(poll_s=POLL_S)) as url, following(url, None) as thread:
        workspace.tokens.create("x", Scope.READ)
        assert ends(thread)
