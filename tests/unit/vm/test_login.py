import shlex
from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.vm.login import Login, ssh_words

LOGIN = Login(Path("/keys/id"))


def test_words_arrive_as_they_were_given() -> None:
    command = ("printf", "%s|", "two words", "$HOME", "it's", "")
    sent = ssh_words(LOGIN, 2222, command)[-1]
    assert run("sh", "-c", sent) == run(*command)


def test_openssh_accepts_the_options_and_uses_nothing_of_the_user(
    need: Callable[..., None], tmp_path: Path
) -> None:
    need("ssh")
    key = tmp_path / "key"
    key.touch()  # ssh leaves out keys that do not exist
    words = ssh_words(Login(key), 2222, ("true",))
    said = run(words[0], "-G", *words[1:]).decode().splitlines()
    expected = {
        "hostname 127.0.0.1",
        "port 2222",
        "user root",
        "userknownhostsfile /dev/null",
        "stricthostkeychecking false",
        "identitiesonly yes",
        f"identityfile {key}",
    }
    assert expected <= set(said)
    assert shlex.split(words[-1]) == ["true"]
