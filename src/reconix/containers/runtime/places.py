"""Where the parts of a container are on a device, and what they are called.

Specified in ``docs/spec/containers.md``; the script that makes them is ``build/data/container``.
"""

RUN = "/run/reconix/containers"
ROOT = "root"
"""The folder of an object that has the tree, and of a container on a device."""
VOLUMES, DEVICES, SECRETS = "volumes", "devices", "secrets"
RESOLV_CONF, HOSTS = "resolv.conf", "hosts"
INIT = "/usr/bin/catatonit"
TEMPORARY = {"/run": "mode=0755", "/tmp": "mode=1777", "/var/tmp": "mode=1777"}
"""In a container: what can be written if it is read-only otherwise, and its mode."""


def place(name: str, part: str) -> str:
    """The path of a part of a container on a device."""
    return f"{RUN}/{name}/{part}"


def layer_name(name: str) -> str:
    """What the object is called that is laid over the image of a container."""
    return f"container-layer-{name}"


def volume_folder(system: str, name: str, volume: str) -> str:
    """Where a volume lies, below the data partition."""
    kind, mark, rest = volume.partition(":")
    return f"shared/containers/{rest}" if mark else f"systems/{system}/containers/{name}/{kind}"
