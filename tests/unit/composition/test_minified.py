"""Each path of a full root has an answer, whether it stays or went."""

from pathlib import Path

import pytest

from reconix.build.minify.graph import Because
from reconix.build.minify.reasons import Reasons
from reconix.composition.minified import Minified

STAYS = {
    "usr/bin/ip": Because("etc/x.sh", "runs ip"),
    "etc/x.sh": Because("etc/x.service", "ExecStart=/etc/x.sh"),
    "etc/x.service": Because("", "is of the configuration"),
    "usr/lib/python3.13/json.py": Because("", "is imported by the agent as json"),
}
GOES = {
    "usr/bin/ss": Because("", "nothing reaches it"),
    "usr/sbin/swapon": Because("swap", "a device has no swap"),
    "usr/share/doc": Because("", "nothing in it stays"),
}


@pytest.fixture
def minified(tmp_path: Path) -> Minified:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/ss").write_bytes(bytes(211_968))
    return Minified(Reasons(STAYS, GOES), tmp_path)


def test_what_stays_tells_how_it_is_reached_step_by_step(minified: Minified) -> None:
    assert minified.reached("usr/bin/ip") == (
        "/etc/x.sh: runs ip",
        "/etc/x.service: ExecStart=/etc/x.sh",
        "it is of the configuration",
    )
    assert minified.reached("opt/of/others") == ()


def test_what_went_tells_why_its_size_and_what_would_keep_it(minified: Minified) -> None:
    assert minified.gone("usr/bin/ss") == (
        "removed: nothing reaches it",
        "it has 212.0 kB",
        'to have it: minify.keep = ["/usr/bin/ss"]',
    )
    assert minified.gone("usr/sbin/swapon") == (
        "removed by the rule “swap”: a device has no swap",
        "it would stay where `files.fstab`, or a unit for it",
        'to have it: minify.keep = ["/usr/sbin/swapon"]',
    )
    assert minified.gone("usr/bin/ip") == ()
    assert minified.gone("never/was") == ()


def test_a_module_is_there_as_bytecode(minified: Minified) -> None:
    module = "usr/lib/python3.13/json.py"
    assert minified.gone(module)[0] == f"its bytecode is there instead: /{module}c"
    assert minified.reached(f"{module}c") == (
        f"compiled from /{module} when that was installed",
        "it is imported by the agent as json",
    )


def test_a_long_way_is_cut_short(tmp_path: Path) -> None:
    steps = {f"p{n}": Because(f"p{n + 1}", f"runs p{n}") for n in range(20)}
    said = Minified(Reasons(steps, {}), tmp_path).reached("p0")
    assert len(said) == 13
    assert said[-1] == "and 8 steps more"


def test_a_module_of_the_kernel_is_kept_by_its_name(minified: Minified, tmp_path: Path) -> None:
    path = "usr/lib/modules/6.12/kernel/sound/snd-dummy.ko.xz"
    place = tmp_path / "linux/6.12/kernel/sound/snd-dummy.ko.xz"
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(2000))
    goes = {path: Because("", "no device needs it")}
    said = Minified(Reasons({}, goes), minified.root, tmp_path / "linux").gone(path)
    assert said == (
        "removed: no device needs it",
        "it has 2.0 kB",
        'to have it: minify.keep = ["module:snd_dummy"]',
    )
