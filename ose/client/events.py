"""Follow a job's events through broken connections."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from httpx2 import EventSource

from ose.client.parsing import segment
from ose.client.transport import Transport
from ose.core.job import JobStatus
from ose.errors import ServiceError

_SILENCE_S = 60.0
"""The service says something every 15 seconds."""

_ATTEMPTS = 20
_MAX_PAUSE_S = 5.0


def job_events(transport: Transport, job_id: str) -> Iterator[dict[str, Any]]:
    """Yield how a job stands, whenever that changes, until it ends.

    Raises:
        NotFoundError: No such job.
        ServiceError: The service went away and did not come back.
    """
    last, failures = "", 0
    while True:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        try:
            with transport.stream(f"/jobs/{segment(job_id)}/events", headers, _SILENCE_S) as response:
                if response.status_code == 204:
                    return
                for event in EventSource(response):
                    last, failures = event.id, 0
                    state = json.loads(event.data)
                    yield state
                    if JobStatus(state["status"]).is_terminal:
                        return
        except (ConnectionError, ServiceError) as error:
            failures += 1
            if failures == _ATTEMPTS:
                raise ServiceError(f"the events of job {job_id} broke off: {error}") from error
            time.sleep(min(0.2 * 2**failures, _MAX_PAUSE_S))
