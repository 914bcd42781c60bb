"""Whoever follows a tutorial notices what is wrong in it."""

import os
from pathlib import Path

import pytest
from tests.tutorials import TUTORIALS, Block, Reader, WrongTutorial, blocks, expect

RIGHT = """\
A file, here and there:

```toml air/air.toml
port = 80
```

```sh
cd air
cat air.toml; echo 'made in 12 s'
```

It says:

```text
port = 80
made in … s
```

```toml air.toml append
name = "air"
```

```sh
cat air.toml
```

```text
name = "air"
```

```python
nobody.runs(this)
```
"""


def follow(place: Path, text: str) -> None:
    tutorial = place / "tutorial.md"
    tutorial.write_text(text)
    Reader(place, {"PATH": os.environ["PATH"]}).follow(tutorial)


def test_files_are_written_commands_run_and_their_output_compared(tmp_path: Path) -> None:
    follow(tmp_path, RIGHT)
    assert (tmp_path / "air/air.toml").read_text() == 'port = 80\nname = "air"\n'


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [("made in … s\n", "made in … min\n", 14), ("cat air.toml;", "cat other.toml;", 7)],
)
def test_a_block_that_is_wrong_is_told_with_its_line(
    tmp_path: Path, right: str, wrong: str, line: int
) -> None:
    with pytest.raises(WrongTutorial, match=rf"tutorial\.md:{line}: "):
        follow(tmp_path, RIGHT.replace(right, wrong))


def test_a_second_terminal_is_closed_at_the_end(tmp_path: Path) -> None:
    follow(
        tmp_path,
        "```sh background\nsh -c 'echo $$ > pid; sleep 999'\n```\n"
        "```sh\nuntil [ -s pid ]; do sleep 0.1; done\n```\n",
    )
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_lines_are_expected_in_their_order() -> None:
    expect("b\n", "a\nb\n")
    with pytest.raises(WrongTutorial):
        expect("b\na\n", "a\nb\n")


def test_every_tutorial_has_commands_that_are_run() -> None:
    for path in TUTORIALS:
        kinds = [each.kind for each in blocks(path.read_text())]
        assert kinds.count("sh") > 3, path
        assert "text" in kinds, path


def test_blocks_know_where_they_begin() -> None:
    assert list(blocks("x\n```sh\na\n```\n")) == [Block("sh", (), "a\n", 2)]
