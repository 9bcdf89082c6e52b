"""Checkers as a server holds them: processes that answer one question after the other, and can be ended."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from itertools import count

from ose.errors import MachineError
from ose.jobs.checker_process import ORDER, READY

_MODULE = "ose.jobs.checker_process"
_GRACE_S = 2.0


class Checkers:
    """Makes checkers by having a process that has loaded everything copy itself. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._channels: dict[int, socket.socket] = {}

    def start(self) -> None:
        """Have everything loaded, and wait for it, so that the first question does not.

        Raises:
            MachineError: It cannot be.
        """
        with self._lock:
            control = self._started()
        if control.recv(len(READY)) != READY:
            raise MachineError("the process that makes checkers does not start; standard error says why")

    def new(self) -> Checker:
        """One more checker."""
        with self._lock:
            try:
                return self._made(self._started())
            except OSError:  # the process that makes them was killed
                self._close()
                return self._made(self._started())

    def end(self, number: int) -> None:
        """End a checker, whatever it is doing."""
        with self._lock:
            if number in self._channels:
                self._channels.pop(number).close()
            try:
                if self._control is not None:
                    self._control.sendall(ORDER.pack(number))
            except OSError:
                self._close()  # and all checkers with it

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            self._close()

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", _MODULE], stdin=theirs.fileno(), stdout=subprocess.DEVNULL
                )
        return self._control

    def _made(self, control: socket.socket) -> Checker:
        number, (ours, theirs) = next(self._numbers), socket.socketpair()
        with theirs:
            try:
                socket.send_fds(control, [ORDER.pack(number)], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        self._channels[number] = ours
        return Checker(self, number, ours)

    def _close(self) -> None:
        if self._control is None or self._process is None:
            return
        for end in (self._control, *self._channels.values()):
            end.close()
        self._channels.clear()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None


class Checker:
    """One of them.

    Attributes:
        channel: Where it is asked and answers, without blocking.
        num_answers: How many it has given.
    """

    def __init__(self, checkers: Checkers, number: int, channel: socket.socket) -> None:
        self._checkers = checkers
        self._number = number
        self.channel = channel
        self.num_answers = 0

    def lives(self) -> bool:
        """Whether it can be asked; one that has died says nothing."""
        try:
            return self.channel.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._checkers.end(self._number)
