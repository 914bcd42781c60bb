"""Show why a package or a file is in a system, and which line asked for it.

    reconix why gateway:web libssl3t64           a package
    reconix why gateway:web /usr/sbin/nginx      a path, as the device has it

A package is there because a line of the configuration asks for it or for one that needs it, or
because it is essential, which every Debian system has. The shortest chain is shown, from what was
asked for to the package; with --all there is one for each package that leads to it. A file belongs
to a package, or to an option that it was generated from, or it was made when packages were
installed. What a module adds is traced to the line that switches the module on.

In a minified system every path of the packages is told how it is reached, or why it was removed and
which line of `minify.keep` would have it back.

What was asked for by name is known from the lock. Everything else is known once the system is
built.

Exit status: 0 success, 2 there is no such package, path, system or host, or it must be built first,
64 the lock does not fit the configuration.
"""

import argparse
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.text import one_line
from reconix.cli import places, registries
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.composition.dependencies import Need
from reconix.composition.device_view import DeviceView
from reconix.composition.minified import Minified, read_minified
from reconix.composition.requests import Request
from reconix.composition.subject import HostSubject, SystemSubject
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.composition.why import Inquiry, PackageAnswer, PathAnswer, Reason
from reconix.nix.chroot import ChrootStore

_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("what", metavar="HOST:SYSTEM", help="one system of a host")
    parser.add_argument("name", metavar="PACKAGE|PATH", help="a package, or a path that has a /")
    parser.add_argument(
        "--all", action="store_true", help="one chain for each package that leads to it"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    host, _, system = arguments.what.partition(":")
    subject = HostSubject.read(places.project(arguments), host).system(system)
    with contextlib.ExitStack() as stack:
        root = places.store(arguments)
        store = stack.enter_context(ChrootStore(root)) if root.is_dir() else None
        _answer(arguments, subject, store)
    return 0


def _answer(
    arguments: argparse.Namespace, subject: SystemSubject, store: ChrootStore | None
) -> None:
    inquiry = Inquiry(
        subject,
        subject.root(store),
        lambda: _view(subject, store),
        lambda: _minified(subject, store),
    )
    shown = _Shown(subject, everything=arguments.all)
    if "/" in arguments.name:
        found = inquiry.path(arguments.name.strip("/"))
        lines, document = shown.path(found), shown.path_document(found)
    else:
        about = inquiry.package(arguments.name)
        lines, document = shown.package(about), shown.package_document(about)
    answer(arguments, text="\n".join(map(one_line, lines)), document=document)


def _view(subject: SystemSubject, store: ChrootStore | None) -> DeviceView:
    return subject.view(store, registries.downloads())


def _minified(subject: SystemSubject, store: ChrootStore | None) -> Minified | None:
    if store is None or not subject.system.minify.enable:
        return None
    toplevel = subject.of.toplevels(store, registries.downloads(), subject.name)[subject.name]
    parts = ToplevelParts.read(store, toplevel)
    return read_minified(store, parts) if parts is not None else None


class _Shown:
    """Prints answers, places as seen from the project."""

    def __init__(self, subject: SystemSubject, *, everything: bool) -> None:
        self._subject, self._everything = subject, everything

    def package(self, found: PackageAnswer) -> Iterator[str]:
        origin = f", from {found.origin}" if found.origin else ""
        yield f"{found.name} {found.version}".rstrip() + origin
        if not found.reasons:
            yield "  nothing that was asked for needs it"
        if self._everything:
            yield from (line for each in found.reasons for line in ("", *self._reason(found, each)))
        elif found.reasons:
            yield from self._reason(found, found.reasons[0])
            yield from self._left(found.reasons[0], found.reasons[1:])

    def _reason(self, found: PackageAnswer, reason: Reason) -> Iterator[str]:
        yield from self._requests(reason.requests, reason.package)
        if not reason.requests and reason.is_essential:
            yield f"  {reason.package} is essential: every Debian system has it"
        yield from (f"  {_need(need)}" for need in reason.chain)
        if not reason.chain and reason.package != found.name:
            yield f"  {reason.package} stands for it"
        if reason.note:
            yield f"  {reason.note}"

    def _left(self, first: Reason, others: Sequence[Reason]) -> Iterator[str]:
        """What would keep the package if the first reason were gone."""
        essential = [each.package for each in others if each.is_essential]
        if first.requests and first.is_essential:
            yield f"  {first.package} is essential besides: every Debian system has it"
        elif essential and not first.is_essential:
            yield f"  {essential[0]}, which is essential, needs it as well"
        if others:
            yield f"  other packages that lead to it: {len(others)}, with --all"

    def path(self, found: PathAnswer) -> Iterator[str]:
        yield found.path
        yield from (f"  {fact}" for fact in found.facts)
        yield from self._requests(found.requests, "")
        packages = found.packages if self._everything else found.packages[:_SHOWN]
        yield from (line for each in packages for line in self.package(each))
        if len(found.packages) > len(packages):
            yield f"other packages: {len(found.packages) - len(packages)}, with --all"

    def _requests(self, requests: Iterable[Request], wanted: str) -> Iterator[str]:
        listed = list(requests)
        chosen = listed if self._everything else _shown(listed, wanted)
        for each in chosen:
            by = f", the module {each.modules[-1]}" if each.modules else ""
            asks = f" asks for {wanted}" if wanted else ""
            yield f"  {self._place(each)}: {each.option}{by}{asks}"
        if len(listed) > len(chosen) and not wanted:
            yield f"  other lines: {len(listed) - len(chosen)}, with --all"

    def _place(self, request: Request) -> str:
        place = request.place
        file = self._subject.of.path_in_project(place.file)
        return str(replace(place, file=Path(file)))

    def package_document(self, found: PackageAnswer) -> dict[str, JsonInput]:
        return {
            "system": str(self._subject),
            "package": found.name,
            "version": found.version,
            **({"origin": found.origin} if found.origin else {}),
            "reasons": [self._reason_document(reason) for reason in found.reasons],
        }

    def path_document(self, found: PathAnswer) -> dict[str, JsonInput]:
        return {
            "system": str(self._subject),
            "path": found.path,
            "facts": [*found.facts],
            "requests": [self._request_document(each) for each in found.requests],
            "packages": [self.package_document(each) for each in found.packages],
        }

    def _reason_document(self, reason: Reason) -> JsonInput:
        return {
            "package": reason.package,
            "essential": reason.is_essential,
            "requests": [self._request_document(each) for each in reason.requests],
            "chain": [
                {
                    "package": need.package,
                    "relation": need.relation.text,
                    "before": need.relation.is_before,
                    "needed": need.needed,
                }
                for need in reason.chain
            ],
        }

    def _request_document(self, request: Request) -> JsonInput:
        return {
            "option": request.option,
            "place": self._place(request),
            "modules": [*request.modules],
        }


def _shown(listed: Sequence[Request], wanted: str) -> list[Request]:
    """The first few lines; of those that a package was asked for by, one of each module."""
    if not wanted:
        return [*listed[:_SHOWN]]
    one_of_each = {each.modules or each.place: each for each in reversed(listed)}
    return [each for each in listed if each in one_of_each.values()][:_SHOWN]


def _need(need: Need) -> str:
    here = "" if need.is_only_choice else f", here {need.needed}"
    beforehand = " before it is installed" if need.relation.is_before else ""
    return f"{need.package} needs {need.relation.text}{beforehand}{here}"
