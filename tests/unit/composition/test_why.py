"""Why a package or a path is in a system."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.installed_packages import KERNEL, lock_of, locked, make_project
from tests.wheels import make_wheel

from reconix.base.errors import ReconixError, UsageError
from reconix.build.software.placed import Bound, Layer, Placed
from reconix.build.software.python.locking import digest_of_question
from reconix.composition.device_view import DeviceView
from reconix.composition.subject import HostSubject, SystemSubject
from reconix.composition.why import Inquiry, Reason
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.document import FILE_NAME, print_lock
from reconix.config.lock.hosts import Lock
from reconix.config.lock.wheels import PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.nix.chroot import ChrootStore
from reconix.project.workplace import NotBuilt
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder


def inquiry(host: HostSubject, store: ChrootStore | None, name: str = "mail") -> Inquiry:
    subject = host.system(name)
    return Inquiry(subject, subject.root(store), lambda: view(store, subject))


def view(store: ChrootStore | None, subject: SystemSubject) -> DeviceView:
    """The files of a system that has one generated file that hides one of a package."""
    root = subject.root(store)
    if store is None or root is None:
        raise NotBuilt("not built")
    etc = store.add_files(folder({"mail/conf": File(b"x"), "mail/own": File(b"x")}), "etc")
    linux = store.add_files(folder({"modules/x.ko": File(b"x")}), "linux")
    air, sidecar = store.add_files(folder({"bin/air": File(b"x")}), "tree"), etc
    layer = store.add_files(
        folder({"usr/local/air/x": File(b"x"), "srv/mail/x": File(b"x")}), "layer"
    )
    placed = Placed((Bound("/opt/air", air, sidecar),), (Layer(layer, sidecar),))
    links: dict[str, File | Symlink] = {
        **{name: File(content) for name, content in placed.lists().items()},
        "root": Symlink(str(StorePath.of_basename(root.name))),
        "etc": Symlink(str(etc)),
        "modules": Symlink(f"{linux}/modules"),
    }
    return DeviceView.read(
        store,
        subject.system,
        store.add_files(folder({**links}), "system-mail", [etc, linux, air, layer]),
    )


def told(reason: Reason) -> tuple[str, list[str], list[str]]:
    lines = [f"{each.place.file.name}:{each.place.line}" for each in reason.requests]
    return reason.package, lines, [need.needed for need in reason.chain]


def test_a_package_that_was_asked_for_names_the_line(host: HostSubject, built: ChrootStore) -> None:
    found = inquiry(host, built).package("server")
    assert (found.name, found.version) == ("server", "2-1")
    assert [told(each) for each in found.reasons] == [("server", ["mail.toml:1"], [])]


def test_a_package_that_is_needed_names_the_chain_shortest_first(
    host: HostSubject, built: ChrootStore
) -> None:
    found = inquiry(host, built).package("library")
    assert [told(each) for each in found.reasons] == [
        ("tool", ["machine.toml:1"], ["library"]),
        ("shell", [], ["library"]),
        ("server", ["mail.toml:1"], ["tool", "library"]),
    ]
    assert [each.is_essential for each in found.reasons] == [False, True, False]
    provided = inquiry(host, built).package("post")
    assert told(provided.reasons[0]) == ("server", ["mail.toml:1"], ["post"])


def test_another_system_has_its_own_reasons(host: HostSubject, built: ChrootStore) -> None:
    with pytest.raises(UsageError, match="gw:default has no package post") as failure:
        inquiry(host, built, "default").package("post")
    assert failure.value.hint == "it is in gw:mail"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mailer", "it is provided by post"),
        ("serwer", "did you mean server?"),
        ("xyz", "`reconix lock` says what it has"),
    ],
)
def test_an_unknown_package_gets_a_hint(
    host: HostSubject, built: ChrootStore, name: str, hint: str
) -> None:
    with pytest.raises(UsageError) as failure:
        inquiry(host, built).package(name)
    assert failure.value.hint == hint


def test_a_package_file_names_the_pattern_and_itself(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    for name in ("air", "wind"):
        (project / f"{name}.deb").write_text(name)
    (project / "hosts/gw/systems/mail.toml").write_text(
        'packages = ["server", "air"]\ndebs = [\n"../../../*.deb"]\n'
    )
    lock = lock_of()
    mail = lock.systems["mail"]
    debs = [
        replace(locked(name), archive="project", path=f"{name}.deb", date="", source=None)
        for name in ("air", "wind")
    ]
    vendors = replace(locked("gust"), archive="vendor")
    mail = replace(mail, packages=(*mail.packages, *debs, vendors), asked=("air", *mail.asked))
    changed = replace(lock, systems={**lock.systems, "mail": mail})
    (project / FILE_NAME).write_bytes(print_lock(Lock({"gw": changed})))
    subject = HostSubject.read(project, "gw").system("mail")
    found = Inquiry(subject, None, lambda: view(None, subject))
    assert found.package("wind").origin == "wind.deb"
    assert told(found.package("wind").reasons[0]) == ("wind", ["mail.toml:3"], [])
    assert told(found.package("air").reasons[0]) == ("air", ["mail.toml:3"], [])
    assert found.package("server").origin == ""


def test_before_a_build_only_what_was_asked_for_by_name_is_known(host: HostSubject) -> None:
    before = inquiry(host, None)
    assert told(before.package("server").reasons[0]) == ("server", ["mail.toml:1"], [])
    with pytest.raises(NotBuilt, match="gw:mail has not been built") as failure:
        before.package("library")
    assert failure.value.hint == "build it first: reconix build gw"
    with pytest.raises(UsageError, match="no package xyz"):
        before.package("xyz")
    with pytest.raises(NotBuilt):
        before.path("usr/bin/tool")


def test_packages_of_which_only_files_are_taken_are_explained(host: HostSubject) -> None:
    before = inquiry(host, None)
    kernel = before.package("linux-image-6.12-amd64")
    assert (kernel.version, told(kernel.reasons[0])) == ("6.12-1", (KERNEL, ["machine.toml:2"], []))
    assert before.package(KERNEL).reasons == kernel.reasons
    assert before.package("systemd-boot-efi").reasons[0].note == "the boot loader"
    assert "initrd" in before.package("busybox-static").reasons[0].note


def test_a_wheel_leads_to_the_line_of_its_environment(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    own = make_wheel(project, "air")
    environment = f'[python.air]\nwheels = ["../../../{own.name}"]\n'
    file = project / "hosts/gw/systems/mail.toml"
    written = file.read_text().replace('["server"]', '["server", "python3"]')
    file.write_text(f"{written}{environment}")
    lock = lock_of()
    empty = {"air": PythonLock(digest_of_question(PythonEnvironment()), ())}
    mail = replace(lock.systems["mail"], asked=("python3", "server", "tool"), python=empty)
    systems = {**lock.systems, "mail": mail}
    (project / FILE_NAME).write_bytes(print_lock(Lock({"gw": replace(lock, systems=systems)})))
    found = inquiry(HostSubject.read(project, "gw"), None).package("air")
    assert found.version == "1.4"
    assert told(found.reasons[0]) == ("air", ["mail.toml:11"], [])
    assert found.reasons[0].note == "a wheel of the Python environment air"


def test_a_file_of_a_package_leads_to_the_package(host: HostSubject, built: ChrootStore) -> None:
    found = inquiry(host, built).path("bin/shell")
    assert (found.path, found.facts) == ("/usr/bin/shell", ())
    assert [each.name for each in found.packages] == ["shell"]
    several = inquiry(host, built).path("usr/bin")
    assert [each.name for each in several.packages] == ["base", "shell", "tool"]
    assert several.facts == ("of 3 packages",)


@pytest.mark.parametrize(
    ("path", "fact", "package"),
    [
        ("usr/bin/editor", "a link to /usr/bin/tool, made when packages", "tool"),
        ("usr/bin/post.of-server", "the package calls it /usr/bin/post", "server"),
        ("usr/lib/tool/__pycache__/tool.cpython-313.pyc", "from /usr/lib/tool/tool.py", "tool"),
        ("etc/made-by-server", "scripts of server name it", ""),
        ("etc/made-by-nobody", "it was made when packages were installed", ""),
        ("usr/lib/modules/x.ko", "modules of the kernel", "linux-image-6.12-amd64"),
        ("etc/mail", "it has files of the configuration, too", "server"),
    ],
)
def test_how_a_path_belongs_to_a_package_is_told(
    host: HostSubject, built: ChrootStore, path: str, fact: str, package: str
) -> None:
    found = inquiry(host, built).path(path)
    assert fact in found.facts[0]
    assert [each.name for each in found.packages] == ([package] if package else [])


def test_a_generated_file_leads_to_its_line(host: HostSubject, built: ChrootStore) -> None:
    hiding, own = (inquiry(host, built).path(f"etc/mail/{name}") for name in ("conf", "own"))
    assert hiding.facts == ("generated: files of the configuration", "it hides one of packages")
    assert own.facts == ("generated: files of the configuration",)
    assert [each.place.line for each in (*hiding.requests, *own.requests)] == [2, 3]
    assert hiding.packages == ()


@pytest.mark.parametrize(
    ("path", "fact", "line"),
    [
        ("opt/air/bin/air", "of the folder air of the project", 7),
        ("opt/air", "of the folder air of the project", 7),
        ("usr/local/air/x", "of the folder air of the project", 9),
        ("srv/mail/x", "files of the configuration", 5),
        ("srv/mail", "files of the configuration", 5),
    ],
)
def test_a_folder_of_the_project_leads_to_its_line(
    host: HostSubject, built: ChrootStore, path: str, fact: str, line: int
) -> None:
    found = inquiry(host, built).path(path)
    assert (found.path, found.facts) == (f"/{path}", (fact,))
    assert [each.place.line for each in found.requests] == [line]


def test_what_a_device_keeps_leads_to_the_line_that_says_so(
    host: HostSubject, built: ChrootStore
) -> None:
    found = inquiry(host, built).path("var/lib/server/journal/1")
    assert found.facts == ("kept by each device: /var/lib/server persists",)
    assert [each.place.line for each in found.requests] == [4]


@pytest.mark.parametrize(
    ("path", "fact", "hint"),
    [
        ("usr/bin/toll", "nothing at /usr/bin/toll", "did you mean /usr/bin/tool?"),
        ("usr/none/of/these", "nothing at /usr/none/of/these", ""),
        ("nix/store/x", "nothing at /nix/store/x", "reconix store why"),
        ("", "put together", "what is in it"),
        ("../..", "put together", "what is in it"),
    ],
)
def test_a_path_that_is_not_there_is_an_error_with_a_hint(
    host: HostSubject, built: ChrootStore, path: str, fact: str, hint: str
) -> None:
    with pytest.raises(ReconixError, match=fact) as failure:
        inquiry(host, built).path(path)
    assert hint in failure.value.hint


def test_a_package_of_a_container_is_told_with_that(tmp_path: Path) -> None:
    text = '[containers.logger]\npackages = ["only-here"]\ncommand = ["x"]\nnetwork = "host"\n'
    project = make_project(tmp_path / "project")
    file = project / "hosts/gw/systems/mail.toml"
    file.write_text(f"{file.read_text()}{text}")
    lock = lock_of()
    container = ContainerLock(asked_packages=("only-here",), packages=(locked("only-here"),))
    mail = replace(lock.systems["mail"], containers={"logger": container})
    asked = replace(mail, asked=tuple(sorted((*mail.asked, "crun"))))
    changed = replace(lock, systems={**lock.systems, "mail": asked}, ranges={"logger": 0})
    (project / FILE_NAME).write_bytes(print_lock(Lock({"gw": changed})))
    (reason,) = inquiry(HostSubject.read(project, "gw"), None).package("only-here").reasons
    assert reason.note == "a package of the container logger"
    assert told(reason) == ("only-here", ["mail.toml:11"], [])
