"""A web server: nginx, with sites that are files or another program behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from reconix.config.modules.fragment import Fragment, OptionError
from reconix.config.options import Option
from reconix.config.schema.health import Health, TcpCheck, UnitCheck
from reconix.config.schema.system import File, Services
from reconix.config.schema.values import AbsolutePath, Name, Port, Url
from reconix.config.services.firewall import Options as Firewall

_UNIT = "nginx.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the web server answers on one port."""

    port: Annotated[
        Port,
        Option("Port it listens on.", "8080", "when sites differ by port, or 80 is taken"),
    ] = 80
    folder: Annotated[
        AbsolutePath | None,
        Option("Folder of the files to serve.", '"/etc/gateway/www"', "when the site is files"),
    ] = None
    proxy: Annotated[
        Url | None,
        Option(
            "Backend that requests are passed to.",
            '"http://127.0.0.1:3000"',
            "when the site is a program",
        ),
    ] = None
    settings: Annotated[
        tuple[str, ...],
        Option(
            "Further lines within the site's configuration.",
            '["gzip on;"]',
            "for what has no option: certificates, caching, limits",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A web server: nginx."""

    enable: Annotated[
        bool,
        Option(
            "Whether to run the web server.",
            "true",
            "when the device shows pages or passes requests on",
        ),
    ] = False
    sites: Annotated[
        Mapping[Name, Site],
        Option(
            "Sites to serve.",
            '{ pages = { folder = "/etc/gateway/www" } }',
            "to say what is served; without a site there is nothing",
        ),
    ] = field(default_factory=dict)


def configure(options: Options) -> Fragment:
    """The server with its sites, and the checks that it works."""
    if not options.enable:
        return Fragment()
    if not options.sites:
        raise OptionError("enable", "there is nothing to serve", "add a table nginx.sites.<name>")
    ports = dict.fromkeys(site.port for site in options.sites.values())
    sites = "\n".join(_site(name, site) for name, site in sorted(options.sites.items()))
    return Fragment(
        packages=("nginx",),
        services=Services(enable=(_UNIT,)),
        files={
            "nginx/sites-enabled/default": File(text=sites),
            "tmpfiles.d/reconix-nginx.conf": File(text="d /var/log/nginx 0755 root adm\n"),
        },
        ports={str(port): "nginx" for port in ports},
        health=Health(checks=(UnitCheck(unit=_UNIT), *(TcpCheck(tcp=port) for port in ports))),
        set_modules=(Firewall(tcp=tuple(ports)),),
    )


def _site(name: str, site: Site) -> str:
    if (site.folder is None) == (site.proxy is None):
        said = "neither folder nor proxy" if site.folder is None else "folder and proxy"
        raise OptionError(f"sites.{name}", f"has {said}", "set one of the two")
    # A certificate alone is no TLS, and a second listen for the port would be an error.
    secure = (
        " ssl" if any(each.split()[:1] == ["ssl_certificate"] for each in site.settings) else ""
    )
    lines = [
        f"listen {site.port}{secure};",
        f"listen [::]:{site.port}{secure};",
        *([f"root {site.folder};"] if site.folder else []),
        *([f"location / {{ proxy_pass {site.proxy}; }}"] if site.proxy else []),
        *site.settings,
    ]
    body = "".join(f"    {line}\n" for line in lines)
    return f"# {name}\nserver {{\n{body}}}\n"
