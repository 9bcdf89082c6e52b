"""Search spaces and their members under their JSON names."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Any

from ose.core.architecture import Counts
from ose.core.plain import plain
from ose.core.search_space import Member, SearchSpace
from ose.families.counts import FamilyCounts


def summary_json(space: SearchSpace) -> dict[str, Any]:
    """A space in a line."""
    return {"name": space.name, "size": space.size, "description": space.description}


def member_json(number: int, member: Member, counts: Counts, sequence_length: int) -> dict[str, Any]:
    """A member, with its place in the order, counted from 1."""
    count = counts.parameters(member.architecture)
    return {
        "number": number,
        "architecture": plain(member.architecture),
        "layers": member.layers,
        "num_parameters": count.total,
        "num_encoder_parameters": count.encoder,
        "flops": counts.flops(member.architecture, sequence_length),
    }


def space_json(space: SearchSpace, sequence_length: int, limit: int, after: int = 0) -> dict[str, Any]:
    """A space with its axes and a page of its members; there are none without an embedding to count with.

    Args:
        space: The space.
        sequence_length: Tokens of one input, for operations.
        limit: Members of the page.
        after: The number of the member before it.
    """
    members: list[dict[str, Any]] = []
    if space.embedding is not None:
        counts = FamilyCounts(space.embedding)
        page = islice(enumerate(space.members(counts), start=1), after, after + limit)
        members = [member_json(number, member, counts, sequence_length) for number, member in page]
    has_more = bool(members) and members[-1]["number"] < space.size
    following = members[-1]["number"] if has_more else None
    return {**asdict(space), "size": space.size, "members": members, "next": following}
