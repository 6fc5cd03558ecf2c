"""One person's browser: cookies, redirects, links and forms over HTTP. Asks one host and no other."""

from __future__ import annotations

import http.client
import json
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from portal.walkthrough.pages import Form, NotThere, Page

MOST_REDIRECTS = 8


class Browser:
    """A browser without scripts, for one person."""

    def __init__(self, site: str, who: str) -> None:
        parts = urlsplit(site)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{site}: the walkthrough speaks to a demo over http only")
        self.site, self.who = site.rstrip("/"), who
        self.host, self.port = parts.hostname, parts.port or 80
        self.cookies: dict[str, str] = {}
        self.page = Page("", 0, "")
        self.pages_seen = 0
        self._line: http.client.HTTPConnection | None = None

    # --- the wire ---

    def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        sent = {
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            "Accept-Language": "en",
            **headers,
        }
        for attempt in (1, 2):
            line = self._line or http.client.HTTPConnection(self.host, self.port, timeout=60)
            self._line = line
            try:
                line.request(method, path, body=body or None, headers=sent)
                answer = line.getresponse()
                raw = answer.read()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A kept connection that the server had let go of: once more on a fresh one, before any answer was read.
                line.close()
                self._line = None
                if attempt == 2:
                    raise
        if answer.will_close:
            line.close()
            self._line = None
        for header in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer.status, answer.headers, raw

    def _go(
        self, method: str, address: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Page:
        headers = dict(headers or {})
        if self.page.path:
            headers["Referer"] = self.site + self.page.path
        for _ in range(MOST_REDIRECTS):
            path = self.path_of(address)
            status, answered, raw = self._ask(method, path, body, headers)
            if status not in (301, 302, 303, 307, 308):
                html = (
                    raw.decode("utf-8", "replace") if "html" in (answered.get("Content-Type") or "") else ""
                )
                self.page = Page(path, status, html)
                self.pages_seen += 1
                return self.page
            address = urljoin(self.site + path, answered["Location"])
            if status < 307:
                method, body = "GET", b""
                headers.pop("Content-Type", None)
        raise NotThere(f"{address} leads round in circles")

    def path_of(self, address: str) -> str:
        """The path of an address of this site. Raises NotThere for any other host."""
        full = urljoin(self.site + (self.page.path or "/"), address)
        parts = urlsplit(full)
        if parts.hostname not in (self.host, "127.0.0.1", "localhost"):
            raise NotThere(f"{self.page.path} leads to another host: {full}")
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    # --- what a person does ---

    def opens(self, address: str, *, expect: int = 200) -> Page:
        """Open a page. Raises NotThere when the answer is not what was expected."""
        page = self._go("GET", address)
        if page.status != expect:
            raise NotThere(
                f"{self.who}: {address} answered {page.status} instead of {expect}: {page.heading} {page.words[:400]}"
            )
        return page

    def follows(self, words: str = "", *, to: str = "") -> Page:
        """Follow a link of the page, by its words or by where it leads."""
        return self.opens(self.page.link(words, to=to))

    def sends(
        self, form: Form, /, *, button: str = "", expect: tuple[int, ...] = (200,), **values: Any
    ) -> Page:
        """Fill in a form and send it."""
        try:
            pairs = form.filled(values, button)
        except NotThere as problem:
            raise NotThere(f"{self.page.path}: {problem}") from None
        address = form.action or self.page.path
        if form.method == "get":
            return self.opens(f"{address.split('?')[0]}?{urlencode(pairs)}")
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        page = self._go("POST", address, urlencode(pairs).encode(), kind)
        if page.status not in expect:
            raise NotThere(
                f"{self.who}: {address} answered {page.status}: {page.heading}. {page.words[:1200]}"
            )
        return page

    def fetches(self, address: str) -> tuple[int, Any]:
        """Ask the API with this person's session; answers status and JSON."""
        status, _, raw = self._ask("GET", self.path_of(address), b"", {"Accept": "application/json"})
        return status, json.loads(raw or b"null")
