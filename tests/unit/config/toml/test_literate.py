"""Settings in Markdown, and what around them is none."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconix.config.toml.literate import toml_of
from reconix.config.toml.reader import RawScalar, RawTable, read_toml

LITERATE = """\
# The broker

It keeps what `a = 1` means:

```toml
[files.x]
text = "~~~"
```

Not this:

````markdown
```toml
bad = 1
```
````

~~~toml title="second"
mode = "0644"
~~~
"""


def test_a_literate_file_is_its_toml_blocks_at_their_places(tmp_path: Path) -> None:
    file = tmp_path / "mqtt.toml.md"
    file.write_text(LITERATE)
    raw = read_toml(file)
    assert raw.entries.keys() == {"files"}
    files = raw.entries["files"]
    assert isinstance(files, RawTable)
    settings = files.entries["x"]
    assert isinstance(settings, RawTable)
    found = {
        key: (each.value, each.place.line, each.place.column)
        for key, each in settings.entries.items()
        if isinstance(each, RawScalar)
    }
    assert found == {"text": ("~~~", 7, 1), "mode": ("0644", 19, 1)}


@given(st.text(alphabet="`~toml\n =1", max_size=60))
def test_blanking_keeps_the_number_of_lines(markdown: str) -> None:
    assert toml_of(markdown).count("\n") == markdown.count("\n")
