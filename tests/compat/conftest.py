"""The real Nix, with a store of its own below a folder of the test."""

from pathlib import Path

import pytest

from reconix.base.process import Word, run
from reconix.store.paths import StorePath

CONFIGURATION = """
extra-experimental-features = nix-command
build-users-group =
substituters =
sandbox = true
sandbox-paths = /bin/sh=/bin/busybox
"""


class Nix:
    """Runs Nix programs that know nothing of this machine's own Nix."""

    def __init__(self, home: Path) -> None:
        self._environment = {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "NIX_CONFIG": CONFIGURATION,
            "NIX_REMOTE": "",
        }

    def __call__(self, *words: Word, stdin: bytes | None = None) -> bytes:
        return run(*words, stdin=stdin, environment=self._environment)

    def build(self, root: Path, expression: str, *attributes: str) -> list[StorePath]:
        """Build a local expression in the store below ``root``; it may use ``/bin/sh``."""
        chosen = [word for attribute in attributes for word in ("-A", attribute)]
        words: list[Word] = [
            "nix-build",
            "--store",
            root,
            "--no-out-link",
            "-E",
            expression,
            *chosen,
        ]
        return [StorePath.parse(line) for line in self(*words).decode().split()]


@pytest.fixture
def nix(tmp_path_factory: pytest.TempPathFactory) -> Nix:
    return Nix(tmp_path_factory.mktemp("nix-home"))


@pytest.fixture(scope="session")
def closure_expression() -> str:
    """What people build: a chain, a farm of links, self-references, two outputs, a large file."""
    return """
      let
        sh = name: more: script: derivation ({
          inherit name; system = builtins.currentSystem;
          builder = "/bin/sh"; args = [ "-c" "export PATH=/bin; ${script}" ];
        } // more);
        chain = n: if n == 0 then sh "end" {} "echo end > $out"
                   else sh "link-${toString n}" {} "echo ${chain (n - 1)} > $out";
      in rec {
        self = sh "self" {} "mkdir $out; echo $out/x > $out/x; ln -s $out/x $out/y";
        pair = sh "pair" { outputs = [ "out" "dev" ]; }
          "echo lib > $out; mkdir $dev; echo $out $dev > $dev/header";
        farm = sh "farm" {}
          "mkdir $out; ln -s ${self} $out/a; ln -s ${pair.dev} $out/b; ln -s ${self}/y $out/c";
        large = sh "large" {}
          "i=0; while [ $i -lt 20000 ]; do echo line $i ${farm}; i=$((i+1)); done > $out";
        all = sh "all" {} ''
          mkdir -p $out/bin
          echo ${large} ${chain 12} > $out/all
          echo exec ${farm}/a > $out/bin/run
          chmod +x $out/bin/run
          : > $out/empty
        '';
      }
    """
