"""One look for all plots: readable on light and dark pages, in colours that colour-blind eyes tell apart."""

import io
from typing import Any, cast

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

# Okabe and Ito's palette, which people with colour-blindness tell apart.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#808080"
STYLE: dict[str, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "axes.titlecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.grid": True,
    "grid.color": "#80808040",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
plt.rcParams.update(cast(Any, STYLE))


def figure(width: float, height: float, **arguments):
    """(figure, axes) in the project's style; inches."""
    return plt.subplots(figsize=(width, height), layout="constrained", **arguments)


def png(made: Figure) -> bytes:
    """The picture; closes the figure."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=130)
    plt.close(made)
    return buffer.getvalue()
