"""Processes that check what was submitted, and can be ended: `python -m ose.jobs.checker_process`.

The first one loads all that checking needs, and then makes a copy of itself, a checker, for each socket that it is
handed on its standard input. A checker answers one question after the other. All end with the process that
holds the other end of the standard input, however that ended.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress

from ose.core.logs import log_to_stderr
from ose.errors import InvalidInputError, OseError
from ose.jobs.checker_tasks import Question, answer, warm_up
from ose.limits import operator_limits, setting_of

_LOG = logging.getLogger(__name__)

ORDER = struct.Struct("!I")
"""What the first process is told: a checker's number, along with its socket to begin it, alone to end it."""

LENGTH = struct.Struct("!I")
"""Before each question and each answer."""

_NICENESS = 3
"""What keeps a processor busy makes way for the server, and still gets a third of a core beside a training."""

READY = b"+"
"""What the first process says once, when it has loaded everything."""

DONE, REFUSED, BROKEN = b"+", b"-", b"!"
"""How an answer begins: the result follows, or code and message of the error, or nothing where a fault of ours is."""

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Make checkers and end them, as long as somebody is there to ask for them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the server decides when it is over
    log_to_stderr()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's own take memory for every core of the machine
    control = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    _load()
    os.nice(_NICENESS)
    control.sendall(READY)
    pids: dict[int, int] = {}
    ended: list[int] = []
    try:
        while order := _order(control):
            number, sockets = order
            if sockets:
                pids[number] = _fork(control, sockets[0])
            elif number in pids:
                ended.append(_killed(pids.pop(number)))
            ended = [pid for pid in ended if os.waitpid(pid, os.WNOHANG)[0] == 0]
    finally:
        for pid in pids.values():
            _killed(pid)


def _load() -> None:
    import huggingface_hub.errors  # noqa: F401 - asked for teachers
    from huggingface_hub import HfApi, snapshot_download  # noqa: F401 - its names are loaded one by one

    warm_up()
    gc.collect()
    gc.freeze()  # so that the copies share it


def _order(control: socket.socket) -> tuple[int, list[int]] | None:
    message, sockets, _, _ = socket.recv_fds(control, ORDER.size, 1)
    return (ORDER.unpack(message)[0], sockets) if message else None


def _killed(pid: int) -> int:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # its id is its own until it is waited for
    return pid


def _fork(control: socket.socket, descriptor: int) -> int:
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    try:
        control.close()
        _end_with_parent()
        _bound_memory()
        _serve(socket.socket(fileno=descriptor))
    except BaseException:
        _LOG.exception("a checker ends")
    finally:
        os._exit(0)


def _end_with_parent() -> None:
    if sys.platform == "linux":  # elsewhere one that hangs outlives a parent that was killed before the server
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _bound_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = operator_limits().max_submission_memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


def _serve(channel: socket.socket) -> None:
    while (size := _received(channel, LENGTH.size)) is not None:
        question = _received(channel, LENGTH.unpack(size)[0])
        if question is None:
            return
        reply = _reply(question)
        channel.sendall(LENGTH.pack(len(reply)) + reply)


def _received(channel: socket.socket, count: int) -> bytes | None:
    """So many bytes; None where the other end has gone."""
    message = bytearray()
    while len(message) < count:
        some = channel.recv(min(count - len(message), 65_536))
        if not some:
            return None
        message += some
    return bytes(message)


def _reply(question: bytes) -> bytes:
    try:
        return DONE + answer(Question.of(question))
    except OseError as error:
        return REFUSED + f"{error.code} {error}".encode(errors="replace")
    except MemoryError:
        setting = setting_of("max_submission_memory_bytes")
        return (
            REFUSED + f"{InvalidInputError.code} checking this needs more memory than it may have ({setting})".encode()
        )
    except Exception:
        _LOG.exception("a question cannot be answered")
        return BROKEN


if __name__ == "__main__":
    main()
