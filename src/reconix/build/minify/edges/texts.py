"""Paths and words in texts: what scripts, settings and strings of programs name.

A path counts if it stands as a whole: ``/usr/bin/awk``, but not the beginning of
``/usr/lib/systemd/system/%s``. A word counts if it is the name of a program where programs are
looked for, and neither something that the shell does itself nor a function of the script.

Source: POSIX, *Shell Command Language*; bash(1), *SHELL BUILTIN COMMANDS*.
Tested by ``tests/unit/build/minify/edges/test_texts.py``.
"""

import re
from collections.abc import Iterator

_PATH = re.compile(rb"/(?:usr|bin|sbin|lib|lib64|etc|opt|srv|var)(?:/[\w.+@-]+)+(/?[%*$]?)")
_WITHIN = re.compile(rb"[\w./%*}]")
_OPTION = re.compile(rb"\s-\w")
_COMMENT = re.compile(r"(?m)(^|\s)#.*$")
_COMMENT_OF_SETTINGS = re.compile(rb"(?m)^\s*[#;].*$")
_PLAIN = re.compile(r"\\.|\$\(|'[^']*'|[()\"`]|[^\\$'()\"`]+|.", re.DOTALL)
_QUOTED = re.compile(r"\\.|\$\(|[\"`]|[^\\$\"`]+|.", re.DOTALL)
"""The parts of a script, and those of what is between double quotes."""
_CLOSED_BY = {'"': '"', "$(": ")", "(": ")", "`": "`"}
_RUN = re.compile(r"(?:-c|eval|trap)\s+$")
_WORD = re.compile(r"(?<![\w./$\\-])[A-Za-z_\[][\w.+-]*(?![\w./-])(?!\s*=[^=])")
_FUNCTION = re.compile(r"(?m)(?:^|[;{}])\s*(?:function\s+)?([\w.-]+)\s*\(\)")
BUILTIN = frozenset(
    {
        *("[", "alias", "bg", "break", "builtin", "caller", "case"),
        *("cd", "command", "compgen", "complete", "continue", "declare"),
        *("dirs", "disown", "do", "done", "echo", "elif", "else"),
        *("enable", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for"),
        *("function", "getopts", "hash", "help", "history", "if", "in"),
        *("jobs", "kill", "let", "local", "logout", "mapfile", "popd"),
        *("printf", "pushd", "pwd", "read", "readonly", "return", "select"),
        *("set", "shift", "shopt", "source", "suspend", "then", "time"),
        *("times", "trap", "type", "typeset", "ulimit", "umask", "unalias"),
        *("unset", "until", "wait", "while"),
    }
)
"""What a shell does itself, and its grammar. ``test``, ``true`` and ``false`` are programs, too:
some start them without a shell."""


def paths(content: bytes) -> Iterator[str]:
    """The absolute paths that stand in a text or a program, without the slash in front."""
    seen: set[bytes] = set()
    for found in _PATH.finditer(content):
        path = found[0]
        if path not in seen and not found[1].strip(b"/") and _begins(content, found.start()):
            seen.add(path)
            yield path.strip(b"/").rstrip(b".").decode()


def _begins(content: bytes, at: int) -> bool:
    """Whether a path begins there, and not in the middle of a longer one."""
    before = content[at - 1 : at] if at else b""
    return not _WITHIN.match(before) or bool(at > 2 and _OPTION.match(content, at - 3, at))


def without_comments(settings: bytes) -> bytes:
    """Settings without the lines that only tell something."""
    return _COMMENT_OF_SETTINGS.sub(b"", settings)


def words(script: str) -> list[str]:
    """The words of a shell script that may be programs, each once.

    Several words between double quotes are a message, but for a command in them.
    """
    plain = _without_messages(_COMMENT.sub(" ", script))
    own = set(_FUNCTION.findall(plain))
    found = dict.fromkeys(_WORD.findall(plain))
    return [word for word in found if word not in BUILTIN and word not in own]


def _without_messages(script: str) -> str:
    """A script without what stands between double quotes and is no single word and no command.

    One whose quotes and parentheses do not fit is left as it is.
    """
    open_: list[tuple[str, int, bool]] = []  # what closes it, where it began, whether it is run
    said: list[str] = []
    at = 0
    while at < len(script):
        in_quotes = bool(open_) and open_[-1][0] == '"'
        found = (_QUOTED if in_quotes else _PLAIN).match(script, at)
        assert found is not None
        part, at = found[0], found.end()
        if open_ and part == open_[-1][0]:
            _, begin, is_run = open_.pop()
            if part == '"' and not is_run and re.search(r"\s", "".join(said[begin:])):
                said[begin:] = [each for each in said[begin:] if each.startswith("\n")]
        elif part in _CLOSED_BY and not (in_quotes and part == "("):
            is_run = _RUN.search("".join(said[-3:])) is not None
            open_.append((_CLOSED_BY[part], len(said), is_run))
        said.append(f"\n{part}" if any(each[0] in ")`" for each in open_) else part)
    return script if open_ else "".join(said)
