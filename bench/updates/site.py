"""What a team puts into its image, before and after an afternoon's work: one page, two settings.

The files are those of a web page with a message broker beside it. The page is of the size that such
pages have, with text that does not repeat, so that sending it whole would show.
"""

import random
from pathlib import Path

PAGE = "srv/www/index.html"
_WORDS = ("pump", "valve", "level", "flow", "tank", "alarm", "station", "pressure", "motor")
_PARAGRAPHS = 60
_SENTENCE = "All pumps are in service."


def add_old(root: Path) -> None:
    """Write the page and the settings into a root."""
    _write(root, interval="30", connections="200", sentence=_SENTENCE)


def add_new(root: Path) -> None:
    """The same with one sentence of the page and two settings changed."""
    _write(root, interval="10", connections="500", sentence="Pump 3 is back in service.")


def set_new(root: Path) -> None:
    """The same with the two settings changed alone."""
    _write(root, interval="10", connections="500", sentence=_SENTENCE)


def page(sentence: str) -> str:
    """A page of some 20 kB with one sentence of the day."""
    chance = random.Random(1)
    lines = [" ".join(chance.choices(_WORDS, k=50)) for _ in range(_PARAGRAPHS)]
    lines.insert(_PARAGRAPHS // 2, sentence)
    body = "\n".join(f"<p>{line}</p>" for line in lines)
    return f"<!doctype html>\n<title>Station 7</title>\n{body}\n"


def _write(root: Path, *, interval: str, connections: str, sentence: str) -> None:
    broker = f"listener 1883\nsys_interval {interval}\nmax_connections {connections}\n"
    for name, content in ((PAGE, page(sentence)), ("etc/mosquitto/conf.d/site.conf", broker)):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
