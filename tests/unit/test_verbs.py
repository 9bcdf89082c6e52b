"""The workspace of this machine and that of a service answer to the same verbs, asked in the same words."""

from inspect import Parameter, signature

import pytest

from ose.access.token_keeper import TokenKeeper
from ose.client.remote import RemoteWorkspace
from ose.client.tokens import RemoteTokens
from ose.verbs import TokenVerbs, Verbs
from ose.workspace import Workspace


def verbs_of(protocol: type) -> list[str]:
    return [name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")]


@pytest.mark.parametrize(
    ("protocol", "kept_by"),
    [(Verbs, Workspace), (Verbs, RemoteWorkspace), (TokenVerbs, TokenKeeper), (TokenVerbs, RemoteTokens)],
)
def test_each_verb_takes_what_the_protocol_says(protocol: type, kept_by: type) -> None:
    assert verbs_of(protocol)
    for verb in verbs_of(protocol):
        asked = signature(getattr(protocol, verb)).parameters
        taken = signature(getattr(kept_by, verb)).parameters
        assert {name: (each.kind, each.default) for name, each in asked.items()} == {
            name: (each.kind, each.default) for name, each in taken.items() if name in asked
        }, verb
        assert all(each.default is not Parameter.empty for name, each in taken.items() if name not in asked), verb
