"""The sizes as a picture: one panel for each pair, one bar for each way, on a logarithmic scale.

matplotlib draws it as SVG; with its salt and date fixed, equal figures give equal files.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from bench.updates.table import Row
from matplotlib.figure import Figure

_OURS, _OTHERS = "#c1440e", "#7a8b99"
_WIDTH, _BAR_HEIGHT, _FRAME_HEIGHT = 9.0, 0.28, 1.1


def draw(rows: Sequence[Row], pairs: Sequence[str], ours: str, place: Path) -> None:
    """Write the picture."""
    shown = [pair for pair in pairs if any(row.pair == pair for row in rows)]
    heights = [sum(row.pair == pair for row in rows) * _BAR_HEIGHT + 0.4 for pair in shown]
    mpl.rcParams["svg.hashsalt"] = "reconix"
    figure = Figure(figsize=(_WIDTH, sum(heights) + _FRAME_HEIGHT), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, pair in zip(panels, shown, strict=True):
        chosen = sorted((row for row in rows if row.pair == pair), key=lambda r: -r.update_bytes)
        sizes = [row.update_bytes / 1e6 for row in chosen]
        colours = [_OURS if row.way == ours else _OTHERS for row in chosen]
        bars = panel.barh([row.way for row in chosen], sizes, color=colours, log=True)
        panel.bar_label(bars, fmt="%.3g MB", padding=3, fontsize=8)
        panel.set_title(pair, loc="left", fontsize=10)
        panel.margins(x=0.15)
        panel.tick_params(labelsize=8)
    figure.savefig(place, format="svg", metadata={"Date": None})
