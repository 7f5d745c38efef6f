"""Where requests go: one server, a path below which everything is, and the connections to it."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlencode, urljoin, urlsplit

from crm_sync_assets.clients.answers import Answer, Params
from crm_sync_assets.clients.proxied import Proxied, Transport
from crm_sync_assets.clients.wire import Direct, Wire, proxy_for
from crm_sync_assets.errors import FatalError


class Host:
    """What is behind one base URL: straight to it, or through the proxy of the environment."""

    def __init__(self, base_url: str, transport: Transport | None) -> None:
        self.base_url = base_url
        base = urlsplit(base_url)
        self.name, self._base_path = base.netloc, base.path
        origin = f"{base.scheme}://{base.netloc}"
        self.wire: Wire = (
            Direct(origin)
            if transport is None and proxy_for(origin) is None
            else Proxied(origin, transport)
        )

    def target(self, path: str, params: Params | None) -> str:
        """What stands in the request line for a path below the base URL, or for a whole address."""
        parts = urlsplit(path)
        target = path if not parts.scheme else f"{parts.path or '/'}?{parts.query}".rstrip("?")
        if not parts.scheme:
            target = self._base_path + target
        target = quote(target, safe="/?&=%:@!$'()*+,;~[]")
        if not params:
            return target
        return f"{target}{'&' if '?' in target else '?'}{urlencode(params)}"

    def redirected(self, answer: Answer) -> str:
        """Where to go instead. Raises FatalError when that is another host."""
        try:
            address = urljoin(self.base_url, answer.header("location") or "")
            target, base = urlsplit(address), urlsplit(self.base_url)
            same = _server(target) == _server(base)
        except ValueError:
            raise FatalError(f"{answer.request} was redirected to what is no address") from None
        if not same:
            if target.hostname == base.hostname and target.scheme == "https" != base.scheme:
                raise FatalError(
                    f"{answer.request} was redirected from http:// to https://: write the base URL "
                    "with https://."
                )
            raise FatalError(
                f"{answer.request} was redirected to {target.scheme}://{target.hostname}, another "
                "host, which would have received the token: refused. Check the base URL."
            )
        return address


def _server(address: SplitResult) -> tuple[str, str | None, int | None]:
    port = address.port or {"https": 443, "http": 80}.get(address.scheme)
    return address.scheme, address.hostname, port


def named_by_a_grant(address: str, base_url: str) -> str:
    """The base URL that came with a token, without slashes at its end.

    One that is not HTTPS is refused, unless it is the server of `base_url`, to which the settings
    send tokens anyway. Raises FatalError.
    """
    try:
        parts = urlsplit(address.strip())
        is_ours = _server(parts) == _server(urlsplit(base_url))
        is_whole = bool(parts.hostname) and parts.username is None and parts.password is None
    except ValueError:
        parts, is_ours, is_whole = urlsplit(""), False, False
    if not is_whole or parts.query or parts.fragment:
        raise FatalError("the token endpoint sends requests to what is no base URL: refused")
    if parts.scheme != "https" and not is_ours:
        raise FatalError(
            f"the token endpoint sends requests to {parts.scheme}://{parts.hostname}, where the "
            "token would travel unencrypted: refused. Check the address that tokens come from."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
