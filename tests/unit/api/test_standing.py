"""Long answers and the tokens they were begun with."""

from __future__ import annotations

import asyncio

from ose.api.standing import Standing
from ose.core.access import Scope
from ose.service.gate import Gate


def test_one_look_serves_all_who_ask_within_its_time(workspace, monkeypatch):
    (token, _), (other, _) = (workspace.tokens.create(name, Scope.READ) for name in "ab")
    now, tokens = [0.0], workspace.tokens
    standing = Standing(tokens, Gate(tokens), every_s=1.0, clock=lambda: now[0])
    looks, look = [], standing._look
    monkeypatch.setattr(standing, "_look", lambda: looks.append(now[0]) or look())

    async def ask(*tokens) -> list[bool]:
        return await asyncio.gather(*(standing.lasts(each) for each in tokens))

    async def follow() -> None:
        assert await ask(*[token, other] * 100, None) == [True] * 200 + [False]
        tokens.revoke(token.id)
        now[0] = 0.9
        assert await ask(token, other) == [True, True]
        now[0] = 1.0
        assert await ask(token, other) == [False, True]

    asyncio.run(follow())
    assert looks == [0.0, 1.0]


def test_who_has_no_token_goes_on_until_there_is_one(workspace):
    standing = Standing(workspace.tokens, Gate(workspace.tokens), every_s=0.0)
    assert asyncio.run(standing.lasts(None))
    workspace.tokens.create("x", Scope.READ)
    assert not asyncio.run(standing.lasts(None))


def test_a_server_that_stays_open_lets_go_on(workspace):
    workspace.tokens.create("x", Scope.READ)
    standing = Standing(workspace.tokens, Gate(workspace.tokens, stays_open=True), every_s=0.0)
    assert asyncio.run(standing.lasts(None))
