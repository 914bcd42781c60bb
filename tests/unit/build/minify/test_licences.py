"""The licences of what stays are one file, in which each text stands once."""

import lzma
from pathlib import Path

from tests.device_trees import write

from reconix.build.minify.licences import pack

GPL, DOC = "usr/share/common-licenses", "usr/share/doc"
ROOT = {
    f"{GPL}/GPL-2": "the text of the GPL",
    f"{GPL}/GPL": "> GPL-2",
    f"{GPL}/BSD": "another text",
    f"{DOC}/air/copyright": "Air is free, see /usr/share/common-licenses/GPL-2.\n",
    f"{DOC}/wind/copyright": "Air is free, see /usr/share/common-licenses/GPL-2.\n",
    f"{DOC}/libwind": "> wind",
    f"{DOC}/fire/copyright": "(C) Prometheus",
    f"{DOC}/away": "> /etc/passwd",
}


def told(root: Path, *packages: str) -> str:
    return lzma.decompress(pack(root, packages)).decode()


def test_each_text_stands_once_with_all_who_have_it(tmp_path: Path) -> None:
    assert told(write(tmp_path / "root", ROOT), "libwind", "fire", "wind", "air") == (
        "=== air, libwind, wind\nAir is free, see /usr/share/common-licenses/GPL-2.\n\n"
        "=== fire\n(C) Prometheus\n\n"
        "=== /usr/share/common-licenses/GPL-2\nthe text of the GPL\n\n"
    )


def test_shared_texts_are_there_that_somebody_names(tmp_path: Path) -> None:
    text = ROOT | {f"{DOC}/fire/copyright": "see /usr/share/common-licenses/GPL."}
    said = told(write(tmp_path / "root", text), "fire")
    assert said.endswith("=== /usr/share/common-licenses/GPL\nthe text of the GPL\n\n")


def test_who_says_nothing_has_no_file(tmp_path: Path) -> None:
    assert pack(write(tmp_path / "root", ROOT), ("earth", "away")) == b""


def test_texts_in_any_encoding_are_as_they_were(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {f"{DOC}/air/copyright": ""})
    (root / DOC / "air/copyright").write_bytes(b"(C) M\xfcller")
    assert lzma.decompress(pack(root, ["air"])) == b"=== air\n(C) M\xfcller\n\n"


def test_the_same_texts_are_the_same_bytes(tmp_path: Path) -> None:
    root = write(tmp_path / "root", ROOT)
    assert pack(root, ["air", "fire"]) == pack(root, {"fire": 1, "air": 2})
