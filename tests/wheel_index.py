"""An index of wheels on this machine, as pip asks one (PEP 503), and pip told to look there."""

import contextlib
import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servers import Request, Server, serving

from reconix.base.digests import Digest


@dataclass
class WheelIndex:
    """Files by distribution, and what was asked for."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    withdrawn: dict[str, str] = field(default_factory=dict)
    """By file name: the reason."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """By file name, where the index lies."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, name: str, path: Path) -> Digest:
        """Offer a file; its digest."""
        self.files.setdefault(name, []).append(path)
        return Digest.of_file(path)

    def answer(self, request: Request) -> None:
        """What a good index does."""
        self.asked.append(request.path)
        _, kind, name, *_ = [*request.path.split("/"), ""]
        content = self._page(name) if kind == "simple" else self._file(name)
        if content is None:
            request.send_error(404)
            return
        request.head(200, len(content), Content_Type="text/html")
        request.wfile.write(content)

    def _page(self, name: str) -> bytes | None:
        if name not in self.files:
            return None
        links = [self._link(path) for path in self.files[name]]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def _link(self, path: Path) -> str:
        digest = self.hashes.get(path.name, Digest.of_file(path).hex())
        reason = self.withdrawn.get(path.name)
        yanked = "" if reason is None else f' data-yanked="{html.escape(reason)}"'
        return f'<a href="/files/{path.name}#sha256={digest}"{yanked}>{path.name}</a>'

    def _file(self, name: str) -> bytes | None:
        found = [path for paths in self.files.values() for path in paths if path.name == name]
        return found[0].read_bytes() if found else None


@contextlib.contextmanager
def wheel_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    """An index, as long as the context lasts, and the only place where pip looks."""
    index = WheelIndex()
    with serving(Server(index.answer)) as server:
        host, port = server.server_address[:2]
        index.url = f"http://{host!s}:{port}"
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        yield index
