import json
from dataclasses import replace

import pytest

from reconix.base.documents import BadDocument
from reconix.boot.bootspec import (
    BadBootSpec,
    BootSpec,
    parse_bootspec,
    parse_specialisations,
    print_bootspec,
)

HASH = "0123456789abcdfghijklmnpqrsvwxyz"
TOPLEVEL = f"/nix/store/{HASH}-system-mqtt"
SPEC = BootSpec(
    name="mqtt",
    system="x86_64-linux",
    label="mqtt (Linux 6.12.1)",
    kernel=f"/nix/store/{HASH}-linux-6.12.1/vmlinuz",
    kernel_parameters=("gpt", "panic=10", 'dyndbg="file x.c +p"'),
    initrd=f"/nix/store/{HASH}-initrd/initrd",
)

# As `boot.json` of a NixOS 24.05 toplevel has it.
NIXOS = {
    "org.nixos.bootspec.v1": {
        "init": f"{TOPLEVEL}/init",
        "initrd": f"/nix/store/{HASH}-initrd-linux-6.6.63/initrd",
        "initrdSecrets": f"{TOPLEVEL}/append-initrd-secrets",
        "kernel": f"/nix/store/{HASH}-linux-6.6.63/bzImage",
        "kernelParams": ["loglevel=4", "net.ifnames=0"],
        "label": "NixOS Uakari 24.05 (Linux 6.6.63)",
        "system": "x86_64-linux",
        "toplevel": TOPLEVEL,
    },
    "org.nixos.specialisation.v1": {},
}


def test_the_placeholder_becomes_the_path_of_the_toplevel() -> None:
    assert b"@toplevel@/init" in print_bootspec(SPEC)
    found = parse_bootspec(print_bootspec(SPEC), toplevel=TOPLEVEL)
    assert found == replace(SPEC, toplevel=TOPLEVEL, init=f"{TOPLEVEL}/init")
    assert found.kernel_parameters[:2] == ("gpt", "panic=10")


def test_a_document_of_nixos_passes_unchanged() -> None:
    found = parse_bootspec(json.dumps(NIXOS).encode(), toplevel=TOPLEVEL)
    assert (found.name, found.init) == ("", f"{TOPLEVEL}/init")
    assert found.kernel_parameters == ("loglevel=4", "net.ifnames=0")
    assert parse_bootspec(print_bootspec(found), toplevel=TOPLEVEL) == found


def test_specialisations_are_documents_in_the_document() -> None:
    assert parse_specialisations(json.dumps(NIXOS).encode(), toplevel=TOPLEVEL) == {}
    assert parse_specialisations(print_bootspec(SPEC), toplevel=TOPLEVEL) == {}
    other = f"/nix/store/{HASH}-nixos-system-quiet"
    inner = NIXOS["org.nixos.bootspec.v1"] | {"toplevel": other, "init": f"{other}/init"}
    whole = NIXOS | {"org.nixos.specialisation.v1": {"quiet": {"org.nixos.bootspec.v1": inner}}}
    found = parse_specialisations(json.dumps(whole).encode(), toplevel=TOPLEVEL)
    assert [(name, spec.toplevel, spec.init) for name, spec in found.items()] == [
        ("quiet", other, f"{other}/init")
    ]
    broken = json.dumps({"org.nixos.specialisation.v1": {"quiet": {}}})
    with pytest.raises(BadDocument, match="quiet is no boot specification"):
        parse_specialisations(broken.encode(), toplevel=TOPLEVEL)


def test_a_device_tree_is_named_below_our_own_key() -> None:
    with_tree = replace(SPEC, device_tree=f"/nix/store/{HASH}-device-tree/device-tree.dtb")
    read = parse_bootspec(print_bootspec(with_tree), toplevel=TOPLEVEL)
    assert read.device_tree == with_tree.device_tree
    assert with_tree.files == (*SPEC.files, with_tree.device_tree)


def test_a_kernel_may_do_without_initrd() -> None:
    bare = replace(SPEC, initrd=None)
    assert b"initrd" not in print_bootspec(bare)
    assert parse_bootspec(print_bootspec(bare), toplevel=TOPLEVEL).initrd is None


def test_the_document_of_another_toplevel_is_refused() -> None:
    with pytest.raises(BadBootSpec, match="is that of"):
        parse_bootspec(json.dumps(NIXOS).encode(), toplevel=f"{TOPLEVEL}-2")


@pytest.mark.parametrize("key", ["system", "label", "kernel", "kernelParams", "init", "toplevel"])
def test_a_missing_field_is_named(key: str) -> None:
    document = {"org.nixos.bootspec.v1": dict(NIXOS["org.nixos.bootspec.v1"])}
    del document["org.nixos.bootspec.v1"][key]
    with pytest.raises(BadDocument, match=f"'{key}' is missing"):
        parse_bootspec(json.dumps(document).encode(), toplevel=TOPLEVEL)


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(BadDocument, match=r"'org\.nixos\.bootspec\.v1' is missing"):
        parse_bootspec(b"{}", toplevel=TOPLEVEL)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kernel", "/boot/vmlinuz"),
        ("kernel", f"/nix/store/{HASH}-linux"),
        ("initrd", f"/nix/store/{HASH}-x/../../etc/shadow"),
        ("initrd", f"/nix/store/{HASH}-x/initrd\n"),
        ("label", "two\nlines"),
        ("kernelParams", ["quiet\noptions evil"]),
        ("init", "init"),
        ("init", "/init evil"),
    ],
)
def test_what_would_end_up_as_another_line_or_another_file_is_refused(
    field: str, value: str | list[str]
) -> None:
    changed = {**NIXOS["org.nixos.bootspec.v1"], field: value}
    document = json.dumps({"org.nixos.bootspec.v1": changed}).encode()
    with pytest.raises(BadBootSpec):
        parse_bootspec(document, toplevel=TOPLEVEL)
