"""What all pictures share: paper, colours, and letters that exist on this machine."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from typing import Literal

import matplotlib.font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

MODEL, POINTS, PLAIN = "#0b6e4f", "#c8553d", "#8d99ae"
_LATIN = "DejaVu Sans"
# Families with Japanese letters that systems bring along, in order of preference; matplotlib's own font has none.
_JAPANESE = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "BIZ UDGothic", "IPAexGothic", "IPAGothic"),
    *("TakaoGothic", "VL Gothic", "Hiragino Sans", "Hiragino Maru Gothic Pro", "Yu Gothic", "Meiryo", "MS Gothic"),
)


class Picture(Figure):
    """A figure that a notebook shows by itself, whether or not pyplot was ever imported."""

    def _repr_png_(self) -> bytes:
        return as_png(self)


def canvas(title: str, width: float = 6.4, height: float = 5.0) -> tuple[Figure, Axes]:
    """An empty picture with one pair of axes; width and height in inches at 110 dots each."""
    figure, (axes,) = panels(title, (1.0,), width, height)
    return figure, axes


def panels(title: str, ratios: Sequence[float], width: float, height: float) -> tuple[Figure, list[Axes]]:
    """An empty picture with axes above each other that share the horizontal one, in heights of the given ratios."""
    figure = Picture(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    stacked = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    stacked[0].set_title(title, loc="left", fontsize=12, fontweight="bold")
    for axes in stacked:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    return figure, list(stacked)


def as_png(figure: Figure) -> bytes:
    """The picture as a file's content; equal figures give equal bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


@cache
def japanese_font() -> str | None:
    """A font family on this machine that has Japanese letters, or None."""
    installed = {font.name for font in matplotlib.font_manager.fontManager.ttflist}
    return next((family for family in _JAPANESE if family in installed), None)


def writable_language(wanted: Literal["ja", "en"]) -> Literal["ja", "en"]:
    """The language that a picture can be labelled in: English where Japanese would become rows of empty boxes."""
    return "en" if wanted == "ja" and japanese_font() is None else wanted


def with_japanese(figure: Figure) -> Figure:
    """The same picture, with a font to fall back to for letters that matplotlib's own lacks."""
    font = japanese_font()
    if font is not None:
        for text in figure.findobj(Text):
            text.set_fontfamily([_LATIN, font])
    return figure
