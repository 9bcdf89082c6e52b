"""What runs in the processes that Ray Train starts. Only those that train load torch's models, which takes seconds."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from dataclasses import asdict
from typing import Any

from ose.core.imports import without_collection
from ose.core.job import DistillationResult
from ose.errors import OseError

Step = tuple[int, dict[str, float]]
"""Its number, and its losses by name."""


class News:
    """What the workers tell their caller: steps, then a result or an error. Lives in an actor."""

    def __init__(self) -> None:
        self._news: asyncio.Queue[Step | DistillationResult | OseError] = asyncio.Queue()

    async def tell(self, item: Step | DistillationResult | OseError) -> None:
        """Add an item."""
        await self._news.put(item)

    async def take(self, timeout_s: float) -> list[Step | DistillationResult | OseError]:
        """All items that have not been taken, as soon as there is one; none if none comes in time."""
        try:
            items = [await asyncio.wait_for(self._news.get(), timeout_s)]
        except TimeoutError:
            return []
        while not self._news.empty():
            items.append(self._news.get_nowait())
        return items


def work(config: dict[str, Any]) -> None:
    """One worker's part. An error that would come again ends the run; any other has Ray Train begin again.

    Args:
        config: `news`, the handle of the actor to tell; `request`, the pickled `FullDistillation`, which Ray Train's
            own processes pass on without unpickling it.
    """
    import ray
    from ray.train import get_context

    with without_collection():
        from ose.workers.foreground import assist_distillation, run_distillation

    request, news = pickle.loads(config["request"]), config["news"]
    try:
        if get_context().get_world_rank() > 0:
            return assist_distillation(request)
        result = run_distillation(request, lambda step, losses: news.tell.remote((step, asdict(losses))))
        ray.get(news.tell.remote(result))
    except OseError as error:
        error.add_note(traceback.format_exc())
        ray.get(news.tell.remote(error))
