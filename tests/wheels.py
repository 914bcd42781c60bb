"""Wheels that a test makes: small, real, and wrong in one way if need be."""

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Content = str | bytes


def make_wheel(
    folder: Path,
    name: str = "air",
    version: str = "1.4",
    files: Mapping[str, Content] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: Iterable[str] = (),
    python: str = "",
    scripts: Mapping[str, str] | None = None,
    record: bool = True,
    modes: Mapping[str, int] | None = None,
) -> Path:
    """Write a wheel as a tool would; give its path."""
    about = f"{name}-{version}.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    lines += [f"Requires-Dist: {each}\n" for each in requires]
    lines += [f"Requires-Python: {python}\n"] if python else []
    pure = "true" if tag.endswith("-any") else "false"
    content: dict[str, Content] = {
        **(files if files is not None else {f"{name}/__init__.py": f"VERSION = {version!r}\n"}),
        f"{about}/METADATA": "".join(lines),
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n",
    }
    if scripts:
        points = "".join(f"{script} = {function}\n" for script, function in scripts.items())
        content[f"{about}/entry_points.txt"] = f"[console_scripts]\n{points}"
    rows = [_row(path, _bytes(data)) for path, data in content.items()]
    if record:
        content[f"{about}/RECORD"] = "".join([*rows, f"{about}/RECORD,,\n"])
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (modes or {}).get(path, 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _bytes(data))
    return place


def _row(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


def _bytes(data: Content) -> bytes:
    return data.encode() if isinstance(data, str) else data
