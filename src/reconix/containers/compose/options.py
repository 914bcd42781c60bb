"""What each option of a service becomes.

``TRANSLATED`` has a function for each that has a counterpart; ``LEFT_OUT`` says of others why they
have none, or what to write instead. An option that is in neither is told as unknown.

Source: Compose Specification, *Services top-level elements*, *Compose Deploy Specification*.
Tested by ``tests/unit/containers/compose/test_translate.py``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from reconix.base.files import BadFile, read_text
from reconix.config.image_reference import BadReference, parse_reference
from reconix.config.problems import Place
from reconix.config.schema.containers import container_unit
from reconix.containers.compose import mounts, quantities
from reconix.containers.compose.nodes import MAX_BYTES, Fields, Items, Node, Scalar
from reconix.containers.compose.service import (
    LeftOut,
    Service,
    fields,
    items,
    pairs,
    text,
    truth,
)
from reconix.containers.compose.variables import parse_variables

Translate = Callable[[Service, Node], None]
_MAX_PORTS = 256
_RANGE = r"[0-9]{1,5}(?:-[0-9]{1,5})?"
_ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-fA-F:]+\]"
_SHORT_PORT = re.compile(
    rf"(?:(?P<address>{_ADDRESS}):)?(?:(?P<outer>{_RANGE}):)?(?P<inner>{_RANGE})"
    r"(?:/(?P<protocol>tcp|udp))?"
)
_LOOKS_SECRET = re.compile(r"(?i)(password|passwd|secret|token|api_?key|private_?key)")
_RESTARTS = {"no": "no", "always": "always", "on-failure": "on-failure", "unless-stopped": "always"}
_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}
_UNLIMITED = frozenset(("0", "-1"))


# -- what runs -------------------------------------------------------------------------------------


def image(service: Service, node: Node) -> None:
    """``image``: a name that is not whole gets the registry and the tag that Docker would take."""
    given = text(node)
    named = _with_registry(given, service.around.registry)
    whole = named if _has_tag(named) else f"{named}:latest"
    try:
        parse_reference(whole)
    except BadReference as error:
        raise LeftOut(str(error), hint=error.hint) from error
    if whole != named:
        fact = f"{given} has no tag: `latest` is taken, as Docker does"
        service.tell("image", node.place, fact, "name the version that you have tried")
    service.put("image", whole, node.place)


def _with_registry(name: str, registry: str) -> str:
    first, slash, _ = name.partition("/")
    if not registry or (slash and (set(".:") & set(first) or first == "localhost")):
        return name
    return f"{registry}/{name}" if slash else f"{registry}/library/{name}"


def _has_tag(name: str) -> bool:
    return "@" in name or ":" in name.rpartition("/")[2]


def build(service: Service, node: Node) -> None:
    """``build``: somebody has to build it, and save it."""
    path = f"{service.name}.tar"
    how = f"docker compose build {service.key.rpartition('.')[2]}, docker save -o {path} IMAGE"
    if service.has("image"):
        service.tell("build", node.place, "is left out: nothing is built here", how)
        return
    fact = f"is left out: nothing is built here; the image is expected in {path}"
    service.tell("build", node.place, fact, how)
    service.put("image", f"docker-archive:{path}", node.place)


def command(service: Service, node: Node) -> None:
    """``command``: all that runs only if there is an entry point, too."""
    words = _words(node)
    if words and not service.has("command"):
        fact = "is all that runs here; Docker puts `Entrypoint` of the image before it"
        service.tell("command", node.place, fact, "write that before it, if the image has one")
    before = _written_words(service)
    if words or before:
        service.put("command", (*before, *words), node.place)


def entrypoint(service: Service, node: Node) -> None:
    """``entrypoint``: what runs, before ``command``."""
    words = _words(node)
    if words:
        service.put("command", words, node.place)


def _written_words(service: Service) -> tuple[str, ...]:
    found = service.values.get("command")
    return tuple(str(getattr(each, "value", "")) for each in getattr(found, "items", ()))


def _words(node: Node) -> tuple[str, ...]:
    if isinstance(node, Items):
        return tuple(text(each) for each in node.items)
    return () if isinstance(node, Scalar) and node.is_null else quantities.words(text(node))


def environment(service: Service, node: Node) -> None:
    """``environment``: what stands here counts before what a file says."""
    for name, value, place in pairs(node):
        with service.telling("environment", place):
            _variable(service, name, value, place)


def _variable(service: Service, name: str, value: str | None, place: Place) -> None:
    if value is None:
        raise LeftOut(f"{name[:80]} would come from whoever starts it", hint="give it a value")
    try:
        service.enter("environment", name, value, place)
    except LeftOut:  # whose message has the value, which may be nobody's to see
        raise LeftOut(f"{name[:80]} is no variable with a value of one line") from None
    if _LOOKS_SECRET.search(name) and value and not name.endswith("_FILE"):
        fact = f"{name}: everybody on the device can read it"
        hint = "if it is a secret, use `secrets`: many images take a path in a variable …_FILE"
        service.tell("environment", place, fact, hint)


def env_file(service: Service, node: Node) -> None:
    """``env_file``: what it says now is written into the result."""
    service.each("env_file", node.items if isinstance(node, Items) else (node,), _env_file)


def _env_file(service: Service, node: Node) -> None:
    given = fields(node) if isinstance(node, Fields) else {"path": node}
    if "path" not in given:
        raise LeftOut("it does not say which: path")
    name = text(given["path"])
    known = service.around.read
    if name not in known:
        known[name] = _variables_of(service.around.folder / name, name)
    for variable, value in known[name].items():
        with service.telling("env_file", node.place):
            _variable(service, variable, value, node.place)


def _variables_of(path: Path, name: str) -> Mapping[str, str | None]:
    try:
        return parse_variables(read_text(path, MAX_BYTES))
    except (BadFile, OSError, ValueError) as error:
        raise LeftOut(f"{name[:80]} cannot be read") from error


# -- how it is reached -----------------------------------------------------------------------------


def ports(service: Service, node: Node) -> None:
    """``ports``, in both forms."""
    service.each("ports", items(node), _port)


def _port(service: Service, node: Node) -> None:
    written = _long_port(node) if isinstance(node, Fields) else text(node)
    found = _SHORT_PORT.fullmatch(written)
    if found is None:
        raise LeftOut('a port such as "8080:80" is expected')
    if found["outer"] is None:
        raise LeftOut(
            f"it does not say which port of the device leads to {written}",
            hint=f'"{found["inner"]}:{found["inner"]}"',
        )
    address = f"{found['address']}:" if found["address"] not in (None, "0.0.0.0", "[::]") else ""
    protocol = "/udp" if found["protocol"] == "udp" else ""
    outer, inner = _numbers(found["outer"]), _numbers(found["inner"])
    if len(outer) != len(inner):
        raise LeftOut("its two ranges are not equally long")
    for one, other in zip(outer, inner, strict=True):
        service.append("ports", f"{address}{one}:{other}{protocol}", node.place)


def _long_port(node: Fields) -> str:
    given = {name: text(each) for name, each in node.entries.items()}
    address = f"{given['host_ip']}:" if "host_ip" in given else ""
    outer = f"{given['published']}:" if "published" in given else ""
    return f"{address}{outer}{given.get('target', '')}/{given.get('protocol', 'tcp')}"


def _numbers(written: str) -> range:
    first, _, last = written.partition("-")
    found = range(int(first), int(last or first) + 1)
    if len(found) > _MAX_PORTS:
        raise LeftOut(f"more than {_MAX_PORTS} ports")
    return found


def network_mode(service: Service, node: Node) -> None:
    """``network_mode``."""
    mode = text(node)
    kind, _, name = mode.partition(":")
    if mode in ("host", "none"):
        service.put("network", mode, node.place)
    elif kind == "service":
        service.put("network", f"with:{_other(service, name)}", node.place)
    elif mode != "bridge":
        raise LeftOut(f"{mode[:80]} has no counterpart", hint="host, none, service:NAME")


def _other(service: Service, name: str) -> str:
    if name not in service.around.containers:
        raise LeftOut(f"there is no service {name[:80]!r}")
    return service.around.containers[name]


def networks(service: Service, node: Node) -> None:
    """``networks``: there is one, in which containers know each other by name."""
    named = {text(each): each for each in node.items} if isinstance(node, Items) else fields(node)
    for name, each in named.items():
        for option, given in fields(each).items() if isinstance(each, Fields) else ():
            with service.telling(f"networks.{name}.{option}", given.place):
                raise LeftOut("a container is known by its name, at an address of our choice")


def depends_on(service: Service, node: Node) -> None:
    """``depends_on``: the others are started before."""
    names = {text(each): each for each in node.items} if isinstance(node, Items) else fields(node)
    for name, each in names.items():
        with service.telling("depends_on", each.place):
            unit = container_unit(_other(service, name))
            service.append("after", unit, each.place)
            _condition(service, each)


def _condition(service: Service, node: Node) -> None:
    given = node.entries.get("condition") if isinstance(node, Fields) else None
    if given is not None and text(given) != "service_started":
        raise LeftOut(f"{text(given)[:80]}: it waits for the start of the other one, and no longer")


# -- what it may -----------------------------------------------------------------------------------


def secrets(service: Service, node: Node) -> None:
    """``secrets``: their values come to each device by themselves."""
    service.each("secrets", items(node), _secret)


def _secret(service: Service, node: Node) -> None:
    given = fields(node) if isinstance(node, Fields) else {"source": node}
    if "source" not in given:
        raise LeftOut("it does not say which: source")
    source = text(given["source"])
    name = service.around.secrets.get(source)
    if name is None:
        raise LeftOut(f"there is no secret {source[:80]!r} at the top of the file")
    service.append("secrets", name, node.place)
    target = text(given["target"]) if "target" in given else source
    if target.removeprefix("/run/secrets/") != name:
        fact = f"is /run/secrets/{name} here, and not {target[:80]}"
        service.tell("secrets", node.place, fact, "tell the program")


def devices(service: Service, node: Node) -> None:
    """``devices``: under the same paths."""
    service.each("devices", items(node), _device)


def _device(service: Service, node: Node) -> None:
    if isinstance(node, Fields):
        given = {name: text(each) for name, each in node.entries.items()}
        outer, inner = given.get("source", ""), given.get("target", "")
    else:
        outer, _, rest = text(node).partition(":")
        inner = rest.partition(":")[0]
    if inner and inner != outer:
        raise LeftOut(f"a device has the same path inside: {outer[:80]}")
    service.append("devices", outer, node.place)


def deploy(service: Service, node: Node) -> None:
    """``deploy``: what it says of resources and of starting again."""
    for name, each in fields(node).items():
        key = f"deploy.{name}"
        with service.telling(key, each.place):
            if name == "resources":
                _resources(service, each)
            elif name == "restart_policy":
                _restart_policy(service, each)
            elif not (name == "replicas" and text(each) == "1"):
                raise LeftOut("it has no counterpart on one device")


def _resources(service: Service, node: Node) -> None:
    translated: dict[str, Translate] = {"memory": memory, "cpus": cpus, "pids": tasks}
    for kind, limits in fields(node).items():
        for name, each in fields(limits).items():
            with service.telling(f"deploy.resources.{kind}.{name}", each.place):
                if kind != "limits" or name not in translated:
                    raise LeftOut("it has no counterpart")
                translated[name](service, each)


def _restart_policy(service: Service, node: Node) -> None:
    for name, each in fields(node).items():
        with service.telling(f"deploy.restart_policy.{name}", each.place):
            if name != "condition" or text(each) not in _CONDITIONS:
                raise LeftOut("it has no counterpart")
            service.put("restart", _CONDITIONS[text(each)], each.place)


def restart(service: Service, node: Node) -> None:
    """``restart``."""
    policy, _, times = text(node).partition(":")
    if policy not in _RESTARTS:
        raise LeftOut("no, always, on-failure or unless-stopped is expected")
    service.put("restart", _RESTARTS[policy], node.place)
    if times:
        raise LeftOut("how often is not bounded here")


def memory(service: Service, node: Node) -> None:
    """``mem_limit``."""
    if text(node) not in _UNLIMITED:
        service.put("memory", quantities.size(text(node)), node.place)


def cpus(service: Service, node: Node) -> None:
    """``cpus``."""
    if text(node) not in _UNLIMITED:
        service.put("cpu", quantities.percent(text(node)), node.place)


def tasks(service: Service, node: Node) -> None:
    """``pids_limit``."""
    if text(node) not in _UNLIMITED:
        service.put("tasks", _integer(node), node.place)


def _integer(node: Node) -> int:
    found = text(node)
    if not re.fullmatch(r"[0-9]{1,9}", found):
        raise LeftOut("a number is expected")
    return int(found)


def healthcheck(service: Service, node: Node) -> None:
    """``healthcheck``."""
    for name, each in fields(node).items():
        with service.telling(f"healthcheck.{name}", each.place):
            if name not in _OF_HEALTH:
                raise LeftOut("it has no counterpart")
            _OF_HEALTH[name](service, each)


def _test(service: Service, node: Node) -> None:
    words = tuple(text(each) for each in node.items) if isinstance(node, Items) else ()
    if words == ("NONE",):
        service.enter("health", "enable", False, node.place)
    elif words[:1] == ("CMD",):
        service.enter("health", "command", words[1:], node.place)
    elif not words or words[:1] == ("CMD-SHELL",):
        line = words[1] if len(words) == 2 else text(node)
        service.enter("health", "command", ("/bin/sh", "-c", line), node.place)
    else:
        raise LeftOut("a list begins with CMD, CMD-SHELL or NONE")


def _disable(service: Service, node: Node) -> None:
    if truth(node):
        service.enter("health", "enable", False, node.place)


def _retries(service: Service, node: Node) -> None:
    service.enter("health", "retries", _integer(node), node.place)


def _health_time(option: str) -> Translate:
    def translate(service: Service, node: Node) -> None:
        service.enter("health", option, quantities.seconds(text(node)), node.place)

    return translate


_OF_HEALTH: Mapping[str, Translate] = {
    "test": _test,
    "disable": _disable,
    "retries": _retries,
    "interval": _health_time("interval"),
    "timeout": _health_time("timeout"),
    "start_period": _health_time("start"),
}


def stop_signal(service: Service, node: Node) -> None:
    """``stop_signal``."""
    name = text(node).upper()
    service.put("stop_signal", name if name.startswith("SIG") else f"SIG{name}", node.place)


def security_opt(service: Service, node: Node) -> None:
    """``security_opt``: one of them holds anyway."""
    given = (each for each in items(node))
    service.each("security_opt", tuple(given), _security)


def _security(service: Service, node: Node) -> None:
    if re.sub(r"[:=]true$", "", text(node)) != "no-new-privileges":
        raise LeftOut("it has no counterpart")


def privileged(service: Service, node: Node) -> None:
    """``privileged``: never."""
    if truth(node):
        raise LeftOut("no container may do everything", hint="name what it needs: devices = [...]")


def _plain(option: str) -> Translate:
    def translate(service: Service, node: Node) -> None:
        service.put(option, text(node), node.place)

    return translate


def _flag(option: str) -> Translate:
    def translate(service: Service, node: Node) -> None:
        service.put(option, truth(node), node.place)

    return translate


def _nothing(service: Service, node: Node) -> None:
    """What changes nothing here either way."""


TRANSLATED: Mapping[str, Translate] = {
    "image": image,
    "build": build,
    "entrypoint": entrypoint,
    "command": command,
    "user": _plain("user"),
    "working_dir": _plain("working_directory"),
    "env_file": env_file,
    "environment": environment,
    "network_mode": network_mode,
    "networks": networks,
    "ports": ports,
    "volumes": mounts.volumes,
    "tmpfs": mounts.tmpfs,
    "configs": mounts.configs,
    "secrets": secrets,
    "devices": devices,
    "depends_on": depends_on,
    "restart": restart,
    "mem_limit": memory,
    "cpus": cpus,
    "pids_limit": tasks,
    "deploy": deploy,
    "read_only": _flag("read_only"),
    "healthcheck": healthcheck,
    "stop_signal": stop_signal,
    "init": _flag("init"),
    "security_opt": security_opt,
    "privileged": privileged,
    **dict.fromkeys(("container_name", "expose", "labels", "pull_policy", "annotations"), _nothing),
}
"""In the order in which they are translated, whatever the order of the file."""

LEFT_OUT: Mapping[str, tuple[str, str]] = {
    "cap_add": ("a container has the usual capabilities and gets no more", ""),
    "cap_drop": ("a container has the usual capabilities, in a user namespace of its own", ""),
    "extends": ("a file is translated by itself", "`docker compose config` resolves it"),
    "platform": ("the machine has an architecture: machine.toml", ""),
    "logging": ("what it says goes to the journal of the device", ""),
    "profiles": ("it starts always; what is not wanted, delete", ""),
    "links": ("containers of a system reach each other by their names", "use those"),
    "hostname": ("the host name is the name of the container", ""),
    "stop_grace_period": ("the unit has the usual time", ""),
    "tty": ("there is nobody at a terminal", "`reconix-device exec NAME COMMAND` has one"),
    "stdin_open": ("there is nobody who types", "`reconix-device exec NAME COMMAND`"),
}
"""Why others have no counterpart, and what to do."""


def in_order(given: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    """The options of a service, first those on which others build."""
    yield from ((name, given[name]) for name in TRANSLATED if name in given)
    yield from ((name, node) for name, node in given.items() if name not in TRANSLATED)
