"""A stranger's words are shown as text, wherever they are shown, and no more of them than people read."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import builders
import httpx2
import pytest
from builders import NOW
from services import serving
from stored import claimed, start_trial
from terminals import in_pipe, on_terminal

from ose.api.dependencies import ServerOptions
from ose.core.access import Scope, Token
from ose.core.job import FailureReport, JobStatus
from ose.core.spec import Columns, CorpusSpec, JobSpec
from ose.errors import InvalidInputError
from ose.jobs.submit import submit_job
from ose.store.base import Store
from ose.store.database import open_store
from ose.workspace import Workspace

MARKUP, LINK = "[/x] [rootfs]", "[link=https://evil.example]free[/link] :smile:"
SCREEN = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\nerror: all is lost"
EIGHT_BIT = "\x9b2J\x90q\x9c \u2066x\u2069\u200b\u2028\u0085 a" + "\u0301" * 500
LONG, LINES = "x" * 200_000, "a\n" * 100_000
SOON_S = 30
"""A command starts in seconds on this machine, also beside other work; what it was held up for was 100 s."""

_SGR = re.compile(r"\x1b\[[0-9;]*m")
"""The colours that our own tables have on a terminal."""

_REACHES_THE_SCREEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@contextmanager
def stored(home: Path) -> Iterator[Store]:
    """The store of a home, as somebody who does not go through our doors writes into it."""
    with closing(open_store(f"sqlite:///{home}/ose.db")) as store:
        yield store


def add_named(home: Path, name: str) -> None:
    with stored(home) as store:
        store.add_job(builders.new_job("job-1", spec=builders.job_spec(name=name)))


def add_failed(home: Path, message: str) -> None:
    with stored(home) as store:
        claimed(store)
        store.finish_job("job-1", "owner", JobStatus.FAILED, NOW, FailureReport(code="error", message=message))


def add_failed_candidate(store: Store, message: str) -> None:
    job = claimed(store)
    store.record_teacher(job.id, "owner", quality=builders.teacher_quality())
    [candidate] = store.add_candidates(job.id, "owner", [builders.new_candidate()])
    start_trial(store, candidate)
    store.record_failure("trial-1", FailureReport(code="error", message=message), NOW, is_final=True)


def looks_harmless(text: str) -> bool:
    return not _REACHES_THE_SCREEN.search(_SGR.sub("", text).replace("\r\n", "\n"))


@pytest.mark.attack(door="words", fault="a job's name is run as markup and ends every list", how="as found")
@pytest.mark.parametrize("command", [("job", "list"), ("job", "show", "job-1"), ("leaderboard", "job-1")])
def test_a_name_is_no_markup(home: Path, command: tuple[str, ...]) -> None:
    add_named(home, MARKUP)
    ended = in_pipe(home, *command)
    assert ended.returncode == 0 and MARKUP in ended.stdout


@pytest.mark.attack(
    door="words", fault="a job's name is run as markup and ends every list", how="links and pictures, on a terminal"
)
def test_a_name_is_no_link(home: Path) -> None:
    add_named(home, LINK)
    status, written = on_terminal(home, "job", "list")
    assert status == 0 and LINK in _SGR.sub("", written) and "\x1b]8" not in written


@pytest.mark.attack(
    door="words", fault="a job's name is run as markup and ends every list", how="the name of a token, and of a space"
)
def test_other_names_are_no_markup(home: Path, tmp_path: Path) -> None:
    token = Token(id="0" * 8, name=MARKUP, scope=Scope.READ, created_at=NOW)
    with stored(home) as store:
        store.add_token(token, "digest")
    assert MARKUP in in_pipe(home, "token", "list").stdout
    (tmp_path / "space.yaml").write_text(
        "name: '[/x]'\nnum_hidden_layers: [1]\nnum_attention_heads: [1]\nhidden_size: [8]\nintermediate_size: [8]\n"
        "embedding: {vocab_size: 100, max_position_embeddings: 16}\n"
    )
    ended = in_pipe(home, "space", "show", str(tmp_path / "space.yaml"))
    assert ended.returncode == 0 and "[/x]: 1 members" in ended.stdout


@pytest.mark.attack(door="words", fault="control characters reach the terminal", how="as found")
def test_a_name_does_not_move_the_cursor(home: Path) -> None:
    add_named(home, SCREEN)
    for command in (("job", "list"), ("job", "show", "job-1"), ("leaderboard", "job-1")):
        written = in_pipe(home, *command).stdout
        assert looks_harmless(written) and r"\x1b[2J" in written and r"\u202e" in written
        assert "\nerror" not in written


@pytest.mark.attack(
    door="words",
    fault="control characters reach the terminal",
    how="eight-bit controls, isolates and heaps of accents in a failure's message, on a terminal",
)
def test_a_failure_does_not_move_the_cursor(home: Path) -> None:
    add_failed(home, EIGHT_BIT)
    status, written = on_terminal(home, "job", "list")
    assert status == 0 and looks_harmless(written) and r"\x9b2J" in written
    assert written.count("\u0301") < 10


@pytest.mark.attack(door="words", fault="control characters reach the terminal", how="in the answer of a service")
def test_a_service_does_not_move_the_cursor(home: Path) -> None:
    with answering(SCREEN) as url:
        ended = in_pipe(home, "--server", url, "job", "show", "1")
    assert ended.returncode == 2 and looks_harmless(ended.stderr) and ended.stderr.count("\n") == 1


@pytest.mark.attack(
    door="words", fault="control characters reach the terminal", how="in a traceback that --debug asks for"
)
def test_a_traceback_does_not_move_the_cursor(home: Path) -> None:
    with answering(SCREEN) as url:
        ended = in_pipe(home, "--debug", "--server", url, "job", "show", "1")
    assert "Traceback" in ended.stderr and looks_harmless(ended.stderr)


@contextmanager
def answering(detail: str) -> Iterator[str]:
    """A service that refuses everything in these words."""

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()
            self.wfile.write(json.dumps({"code": "not_found", "detail": detail}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.attack(
    door="words", fault="a letter that a terminal does not have ends the list", how="a name beside ASCII alone"
)
def test_a_terminal_of_few_letters(home: Path) -> None:
    add_named(home, "naïve 日本")
    ended = in_pipe(home, "job", "list", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0 and r"na\xefve" in ended.stdout


@pytest.mark.attack(door="words", fault="a long name holds the list up", how="as found")
def test_a_long_name_is_cut(home: Path) -> None:
    add_named(home, LINES)
    began = time.monotonic()
    ended = in_pipe(home, "job", "list")
    assert ended.returncode == 0 and len(ended.stdout) < 5_000 and "…" in ended.stdout
    assert time.monotonic() - began < SOON_S


@pytest.mark.attack(
    door="words", fault="a long name holds the list up", how="a candidate's message without a space, in a leaderboard"
)
def test_a_long_message_is_cut(home: Path) -> None:
    with stored(home) as store:
        add_failed_candidate(store, LONG)
    began = time.monotonic()
    status, written = on_terminal(home, "leaderboard", "job-1")
    assert status == 0 and len(written) < 5_000 and "…" in written and time.monotonic() - began < SOON_S


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    with Workspace(home) as workspace, serving(workspace, ServerOptions()) as url:
        yield url


@pytest.mark.attack(door="words", fault="a name of any length and any characters is taken", how="as found")
@pytest.mark.parametrize("name", [LONG, SCREEN, "a\u2028b"], ids=["long", "controls", "separator"])
def test_a_job_with_such_a_name_is_refused(url: str, name: str) -> None:
    content = {"name": name, "teacher": {"model": "t"}, "corpus": {"train": ["hf:a/b"]}, "space": "bort"}
    answer = httpx2.post(f"{url}/api/v1/jobs", json=content, timeout=20)
    assert answer.status_code == 422 and answer.json()["detail"].startswith("name ")


@pytest.mark.attack(
    door="words", fault="a name of any length and any characters is taken", how="the names of tokens, on a server"
)
@pytest.mark.parametrize("name", [LONG[:50_000], SCREEN], ids=["long", "controls"])
def test_a_token_with_such_a_name_is_refused(url: str, name: str) -> None:
    answer = httpx2.post(f"{url}/api/v1/tokens", json={"name": name, "scope": "read"}, timeout=20)
    assert answer.status_code == 422 and "a token's name" in answer.json()["detail"]
    assert name is SCREEN or "OSE_MAX_NAME_LENGTH" in answer.json()["detail"]


@pytest.mark.attack(door="words", fault="a name that one database holds breaks on another", how="as found")
def test_a_null_in_a_name_is_refused_alike(store_url: str) -> None:
    assert "name must be one line of text" in refusal(store_url, builders.job_spec(name="a\0b"))


@pytest.mark.attack(
    door="words",
    fault="a name that one database holds breaks on another",
    how="half a character, in the name and in another field",
)
@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": "a\ud800"}, "name"),
        ({"corpus": CorpusSpec(train=("a",), columns=Columns(text="\udc80"))}, "job.corpus.columns.text"),
    ],
)
def test_half_a_character_is_refused_alike(store_url: str, changes: dict[str, Any], place: str) -> None:
    assert place in refusal(store_url, builders.job_spec(**changes))


def refusal(store_url: str, spec: JobSpec) -> str:
    with closing(open_store(store_url)) as store:
        with pytest.raises(InvalidInputError) as refused:
            submit_job(store, spec, lambda: NOW)
        assert store.jobs() == []
    return str(refused.value)


@pytest.mark.attack(
    door="words", fault="a name that one database holds breaks on another", how="in the message of a failure"
)
def test_a_null_in_a_failure_is_stored_alike(store_url: str) -> None:
    from ose.core.failures import failure_report

    with closing(open_store(store_url)) as store:
        claimed(store)
        store.finish_job("job-1", "owner", JobStatus.FAILED, NOW, failure_report(ValueError("a\0b\ud800" + LONG)))
        failure = store.job("job-1").failure
    assert failure is not None and failure.message.startswith(r"a\x00b\ud800xx") and len(failure.message) < 5_000


@pytest.mark.attack(
    door="words", fault="a spreadsheet runs a cell of the leaderboard", how="a failure's message over HTTP"
)
def test_no_cell_of_a_service_is_a_formula(home: Path) -> None:
    with Workspace(home) as workspace, serving(workspace, ServerOptions()) as url:
        add_failed_candidate(workspace.store, '=HYPERLINK("http://evil.example","free")\x1b[2J')
        text = httpx2.get(f"{url}/api/v1/jobs/job-1/leaderboard?format=csv", timeout=20).text
    assert looks_harmless(text) and [row["error.message"][:3] for row in csv.DictReader(io.StringIO(text))] == ["'=H"]


@pytest.mark.attack(
    door="words",
    fault="a spreadsheet runs a cell of the leaderboard",
    how="behind blanks and as a wide sign, on the command line",
)
@pytest.mark.parametrize("message", [" \t@SUM(A1)", "\n＝1+1", "\r-2+3"])
def test_no_cell_of_the_command_line_is_a_formula(home: Path, message: str) -> None:
    with stored(home) as store:
        add_failed_candidate(store, message)
    [row] = csv.DictReader(io.StringIO(in_pipe(home, "leaderboard", "job-1", "--format", "csv").stdout))
    assert row["error.message"] == "'" + message.strip()


@pytest.mark.attack(door="words", fault="a page shows what a request made up", how="control characters in a key")
def test_a_problem_is_one_line_of_text(url: str) -> None:
    answer = httpx2.post(f"{url}/api/v1/jobs", json={SCREEN: 1}, timeout=20)
    detail = answer.json()["detail"]
    assert answer.status_code == 422 and looks_harmless(detail) and "\n" not in detail


@pytest.mark.attack(
    door="words", fault="a page shows what a request made up", how="a value of a megabyte, turned round"
)
def test_a_problem_is_short(url: str) -> None:
    answer = httpx2.post(f"{url}/api/v1/jobs", json={"\u202e" + "y" * 900_000: 1}, timeout=20)
    assert answer.status_code == 422 and len(answer.content) < 5_000 and looks_harmless(answer.json()["detail"])


@pytest.mark.attack(door="words", fault="a student's card carries what its job's name says", how="as found")
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("[click](https://evil.example)", r"# \[click\](https&#58;//evil.example): "),
        ("<img src=x onerror=alert(1)>", "# &#60;img src=x onerror=alert(1)&#62;: "),
        ("a\n---\nlicense: mit\n# b", r"# a --- license: mit \# b: "),
    ],
)
def test_a_card_is_no_page_of_a_stranger(name: str, line: str) -> None:
    assert line in card(name=name)


@pytest.mark.attack(
    door="words",
    fault="a student's card carries what its job's name says",
    how="in the name of the device that measured",
)
def test_a_device_is_text(home: Path) -> None:
    text = card(device="`x` **CPU** <b>\x1b[2J")
    assert r"on \`x\` \*\*CPU\*\* &#60;b&#62;\x1b" in text.replace("\\\\", "\\") and looks_harmless(text)


def card(name: str = "tiny", device: str = "CPU") -> str:
    from manifests import manifest

    from ose.tasks.fill_mask.card import student_card

    usual = manifest({})
    return student_card({**usual, "job": {**usual["job"], "name": name}, "device": device})
