"""Requests that mind what may go wrong between two machines; the only module that knows the HTTP library."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from ose.errors import InvalidInputError, OseError, ServiceError, error_of

PREFIX = "/api/v1"

_TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
"""Submitting reads and digests the whole text, which may take long; reading is quick."""

_SUBMIT_S = 600.0
_ATTEMPTS = 4
_PASSING = {502, 503, 504}
_PATIENCE_S = 60.0
"""Of all pauses between the attempts of one request. One that would have to be longer is not begun."""


class Transport:
    """A connection to one service.

    Args:
        url: Of the service, as `https://ose.example.org`.
        token: What it is shown; None where it asks for none.
        pause_s: Before the second attempt; each further one waits twice as long. A service that names a longer
            pause (`Retry-After`) gets it, if all pauses together last no more than a minute; else its answer counts.
    """

    def __init__(self, url: str, token: str | None = None, pause_s: float = 0.25) -> None:
        self.url = url.rstrip("/")
        self._pause_s = pause_s
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._client = httpx2.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT)
            is_http = self._client.base_url.scheme in ("http", "https") and bool(self._client.base_url.host)
        except (httpx2.InvalidURL, ValueError) as error:
            raise InvalidInputError(f"{url!r} is no URL of a service") from error
        if not is_http:
            raise InvalidInputError(f"{url!r} is no URL of a service; write http://host:port or https://host")

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Read something, trying again if the network or the server is briefly away."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        return self._json(self._insisting("GET", path, params=given))

    def post(self, path: str, content: Any = None, key: str | None = None) -> Any:
        """Ask for something that may be asked for twice: under a key, or because the second time changes nothing."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {} if content is None else {"json": content}
        return self._json(self._insisting("POST", path, headers=headers, timeout=_SUBMIT_S, **body))

    def post_once(self, path: str, content: Any) -> Any:
        """Ask for something that must not happen twice."""
        return self._json(self._attempt("POST", path, json=content))

    def delete(self, path: str) -> Any:
        """Withdraw something; the second time changes nothing."""
        return self._json(self._insisting("DELETE", path))

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], timeout_s: float = 30.0) -> Iterator[httpx2.Response]:
        """An answer that is read as it arrives.

        Raises:
            OseError: The service refuses.
            ConnectionError: The connection broke; what was read so far counts.
        """
        try:
            with self._client.stream("GET", PREFIX + path, headers=dict(headers), timeout=timeout_s) as response:
                if response.status_code >= 400:
                    response.read()
                    raise _error(response)
                yield response
        except httpx2.TransportError as error:
            raise ConnectionError(f"{self.url}: {_reason(error)}") from error

    def _insisting(self, method: str, path: str, **options: Any) -> httpx2.Response:
        pauses_s = (self._pause_s * 2**attempt * random.uniform(0.5, 1.5) for attempt in range(_ATTEMPTS - 1))
        patience_s = _PATIENCE_S
        for pause_s in pauses_s:
            try:
                response = self._client.request(method, PREFIX + path, **options)
            except httpx2.TransportError:
                pass
            else:
                if response.status_code not in _PASSING:
                    return response
                pause_s = max(pause_s, _asked_pause_s(response))
                if pause_s > patience_s:
                    return response
            patience_s -= pause_s
            time.sleep(pause_s)
        return self._attempt(method, path, **options)

    def _attempt(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            return self._client.request(method, PREFIX + path, **options)
        except httpx2.TransportError as error:
            raise ServiceError(f"{self.url} cannot be reached: {_reason(error)}") from error

    def _json(self, response: httpx2.Response) -> Any:
        if response.status_code >= 400:
            raise _error(response)
        try:
            return response.json()
        except ValueError as error:
            raise ServiceError(f"{self.url} answers, but not as OSE does ({response.status_code})") from error


def _asked_pause_s(response: httpx2.Response) -> float:
    """Seconds that a service asks to be left alone; a proxy's date is no number of them, and not followed."""
    text = response.headers.get("Retry-After", "").strip()
    is_number = text.isascii() and text.isdecimal()
    return float(text) * random.uniform(1, 1.2) if is_number else 0.0


def _error(response: httpx2.Response) -> OseError:
    """The error that a problem tells of."""
    try:
        problem = json.loads(response.content)
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"{response.url.host} answers {response.status_code}, but not as OSE does")
    return error_of(code, detail, ServiceError if response.status_code >= 500 else InvalidInputError)


def _reason(error: httpx2.TransportError) -> str:
    return " ".join(str(error).split()) or type(error).__name__
