"""Proxies before a server: which are believed, and how a request tells that it came through one."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers

from ose.errors import InvalidInputError

_MAX_ADDRESSES = 256
"""Of a trusted network: a machine among many more can be anybody's."""

_NAMES = {
    "cdn-loop",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "proxy-connection",
    "true-client-ip",
    "via",
    "x-azure-clientip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-url",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-rewrite-url",
}
_PREFIXES = ("cf-", "tailscale-", "x-amzn-", "x-appengine-", "x-envoy-", "x-forwarded-")


def forwarding_header(headers: Headers) -> str | None:
    """The first header that a proxy has put there, whatever it says.

    A proxy that adds none cannot be told from a caller of this machine.
    """
    names = (name.lower().replace("_", "-") for name in headers)
    return next((name for name in names if name in _NAMES or name.startswith(_PREFIXES)), None)


def trusted_proxies(text: str) -> list[str]:
    """The proxies whose X-Forwarded-For counts, separated by commas.

    A trusted proxy says where a request comes from. So each is an address, or a private network of a few machines.

    Raises:
        InvalidInputError: One is a name, a pattern, or a network of others.
    """
    return [_proxy(each.strip()) for each in text.split(",")]


def _proxy(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise InvalidInputError(f"--trusted-proxy: {text!r} is no address; every other caller could be it") from error
    if network.num_addresses > _MAX_ADDRESSES or (network.num_addresses > 1 and not network.is_private):
        raise InvalidInputError(
            f"--trusted-proxy: {text} is more than a proxy's machines: name an address, or a private network of at "
            f"most {_MAX_ADDRESSES}"
        )
    return text
