"""Log-ins as docker and podman keep them; a password is in no message."""

import base64
import json
from pathlib import Path

import pytest

from reconix.base.errors import ReconixError
from reconix.containers.logins import BadLogin, IdentityToken, Login, Logins, usual_files

HOST = "registry.example.com"
SECRET = "hunter2:\N{SNOWMAN}"


def kept(user: str, password: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def written(place: Path, content: object) -> Logins:
    place.write_text(content if isinstance(content, str) else json.dumps(content))
    return Logins((place,))


@pytest.mark.parametrize(
    ("name", "user"),
    [
        (HOST, "all"),
        (f"{HOST}/apps", "all"),
        (f"{HOST}/apps/one", "all"),
        (f"https://{HOST}", "all"),
        (f"https://{HOST}/v1/", "all"),
        (f"{HOST}/other", None),
        (f"{HOST}/app", None),
        ("example.com", None),
    ],
)
def test_a_log_in_counts_for_what_it_names(tmp_path: Path, name: str, user: str | None) -> None:
    logins = written(tmp_path / "auth.json", {"auths": {name: kept("all")}})
    found = logins.find(HOST, "apps/one")
    assert (found.user if isinstance(found, Login) else None) == user


def test_the_longest_name_and_the_first_file_count(tmp_path: Path) -> None:
    first = {"auths": {HOST: kept("all"), f"{HOST}/apps": kept("apps")}}
    written(tmp_path / "first", first)
    written(tmp_path / "second", {"auths": {f"{HOST}/apps/one": kept("one")}})
    logins = Logins((tmp_path / "none", tmp_path / "first", tmp_path / "second"))
    assert logins.find(HOST, "apps/one") == Login("apps", SECRET)
    assert logins.find(HOST, "other") == Login("all", SECRET)
    assert Logins().find(HOST, "other") is None


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A helper called ``test``."""
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\nread host\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize("content", [{"credHelpers": {HOST: "test"}}, {"credsStore": "test"}])
def test_a_helper_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object
) -> None:
    said = '{"ServerURL": "x", "Username": "'
    helper(tmp_path, monkeypatch, f"""echo '{said}'"$1-$host"'", "Secret": "{SECRET}"}}'""")
    logins = written(tmp_path / "config.json", content)
    assert logins.find(HOST, "a") == Login(f"get-{HOST}", SECRET)


def test_a_token_for_getting_tokens_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {**kept("a"), "identitytoken": SECRET}
    stored = written(tmp_path / "auth.json", {"auths": {HOST: entry}})
    assert stored.find(HOST, "a") == IdentityToken(SECRET)
    said = f"""'{{"Username": "<token>", "Secret": "{SECRET}"}}'"""
    helper(tmp_path, monkeypatch, f"echo {said}")
    of_helper = written(tmp_path / "config.json", {"credsStore": "test"})
    assert of_helper.find(HOST, "a") == IdentityToken(SECRET)


def test_a_helper_that_knows_nothing_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")
    assert written(tmp_path / "config.json", {"credsStore": "test"}).find(HOST, "a") is None


BAD: dict[str, object] = {
    "no JSON": f"{SECRET} {{",
    "no object": [SECRET],
    "no objects": {"auths": {HOST: SECRET}},
    "no text": {"auths": {HOST: {"auth": 5}}},
    "no base64": {"auths": {HOST: {"auth": SECRET}}},
    "no user": {"auths": {HOST: kept("")}},
    "no pair": {"auths": {HOST: {"auth": base64.b64encode(b"hunter2").decode()}}},
    "a line": {"auths": {HOST: kept("a\r\nb")}},
    "a path": {"credsStore": "../../bin/sh"},
    "no such helper": {"credHelpers": {HOST: "is-not-there"}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_of_no_use_is_told_without_the_password(tmp_path: Path, name: str) -> None:
    logins = written(tmp_path / "auth.json", BAD[name])
    with pytest.raises(BadLogin) as caught:
        logins.find(HOST, "a")
    assert says_nothing(caught.value)
    assert str(tmp_path / "auth.json") in str(caught.value)


def says_nothing(error: ReconixError | None) -> bool:
    said = f"{error} {error.hint if error else ''} {error!r}"
    secrets = ("hunter2", base64.b64encode(SECRET.encode()).decode()[:8])
    return not any(secret in said for secret in secrets)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo '{SECRET}'; echo '{SECRET}' >&2; exit 3", "failed with status 3"),
        (f"echo '{SECRET}'", "gave no log-in"),
    ],
)
def test_a_helper_that_fails_is_told_without_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    helper(tmp_path, monkeypatch, script)
    logins = written(tmp_path / "config.json", {"credsStore": "test"})
    with pytest.raises(BadLogin, match=why) as caught:
        logins.find(HOST, "a")
    assert says_nothing(caught.value) and caught.value.__cause__ is None


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in f"{Login('me', SECRET)!r}{IdentityToken(SECRET)!r}"
    assert Login("me", "x").header() == "Basic bWU6eA=="


def test_log_ins_are_where_the_environment_says(tmp_path: Path) -> None:
    home = tmp_path
    assert usual_files({}, home) == (
        home / ".config/containers/auth.json",
        home / ".docker/config.json",
    )
    assert usual_files({"REGISTRY_AUTH_FILE": "/a"}, home) == (Path("/a"),)
    there = {"XDG_RUNTIME_DIR": "/r", "XDG_CONFIG_HOME": "/c", "DOCKER_CONFIG": "/d"}
    assert usual_files(there, home) == (
        *(Path("/r/containers/auth.json"), Path("/c/containers/auth.json")),
        Path("/d/config.json"),
    )
