"""The skin's dose map as a picture for people: the patient from back, right, left and front."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.xray.dose.parts import Part
from carm_env.xray.dose.skin import SkinSurface
from carm_env.xray.dose.skin_map import Peak, SkinMap

if TYPE_CHECKING:
    from PIL import Image

F64 = NDArray[np.float64]


class _View(NamedTuple):
    """What runs to the right on the page and towards the viewer, LPS."""

    name: str
    right: tuple[float, float, float]
    near: tuple[float, float, float]


_VIEWS = (
    _View("back", (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    _View("right", (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)),
    _View("left", (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
    _View("front", (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
)
_PX_MM = 2.0
_DISC_MM = 11.0
"""Radius at which discs on neighbouring cells leave no hole."""
_MARGIN_PX, _LEGEND_PX, _BAR_PX, _TITLE_PX = 12, 112, 14, 34
_SKIN = np.array([96.0, 102.0, 110.0])
_RAMP = np.array(
    [[62, 28, 112], [112, 34, 129], [165, 48, 126], [214, 73, 98], [244, 116, 66], [253, 175, 62], [252, 238, 140]],
    float,
)
"""Colours from no dose to the greatest; lightness rises evenly (CIE L* 20 to 93)."""
_TICKS = 5


def colours(shares: ArrayLike) -> F64:
    """Colours of shares of the greatest dose, [..., 3] from 0 to 255."""
    x = np.clip(np.asarray(shares, float), 0.0, 1.0) * (len(_RAMP) - 1)
    return np.stack([np.interp(x, np.arange(len(_RAMP)), channel) for channel in _RAMP.T], axis=-1)


def draw_skin(skin: SkinMap, part: Part = "total", top_mgy: float | None = None) -> Image.Image:
    """The map of a part of the exposures.

    Args:
        top_mgy: dose of the scale's last colour; the part's peak by default. Skin without dose is grey.
    """
    from PIL import Image, ImageDraw

    from carm_env.view.drawing import CARD, QUIET, TEXT, font

    dose, peak = skin.part_mgy(part), skin.peak(part)
    top = max(top_mgy or peak.mgy, 1e-9)
    panels = [_panel(skin.surface, view, dose, top) for view in _VIEWS]
    low = [_page(skin.surface.points_mm, view).min(axis=0, initial=np.inf) for view in _VIEWS]
    lefts = np.cumsum([_MARGIN_PX, *(p.shape[1] + _MARGIN_PX for p in panels)])
    height = panels[0].shape[0] + _TITLE_PX + _MARGIN_PX
    sheet = Image.new("RGB", (int(lefts[-1]) + _LEGEND_PX, height), CARD)
    pen = ImageDraw.Draw(sheet)
    for view, panel, left, corner in zip(_VIEWS, panels, lefts, low, strict=False):
        seen = panel.any(axis=2, keepdims=True)
        sheet.paste(Image.fromarray(np.where(seen, panel, CARD).astype(np.uint8)), (int(left), _TITLE_PX))
        pen.text((int(left), 10), view.name, fill=QUIET, font=font(14))
        at = _mark(skin.surface, view, peak, corner)
        if at is not None:
            x, y = left + at[0], _TITLE_PX + at[1]
            pen.ellipse((x - 9, y - 9, x + 9, y + 9), outline=TEXT, width=2)
    _legend(sheet, int(lefts[-1]), peak, top)
    return sheet


def _page(points_mm: F64, view: _View) -> F64:
    """Pixels to the right and down, [P, 2], from an origin of its own."""
    return np.stack([points_mm @ np.array(view.right), -points_mm[:, 2]], axis=1) / _PX_MM


def _panel(surface: SkinSurface, view: _View, dose: F64, top: float) -> NDArray[np.uint8]:
    """The skin that a view shows, RGB [H, W, 3]; 0 where there is none."""
    radius = int(np.ceil(_DISC_MM / _PX_MM))
    page = _page(surface.points_mm, view)
    page -= page.min(axis=0, initial=np.inf) if len(page) else 0.0
    width, height = np.ceil(page.max(axis=0, initial=0.0)).astype(int) + 2 * radius + 1
    near = surface.points_mm @ np.array(view.near)
    facing = surface.normals @ np.array(view.near)
    order = np.argsort(near)
    order = order[facing[order] > 0.0]
    last = np.full((height, width), -1)
    at = np.rint(page[order]).astype(int) + radius
    offsets = np.argwhere(np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) * _PX_MM <= _DISC_MM) - radius
    for dy, dx in offsets:
        np.maximum.at(last, (at[:, 1] + dy, at[:, 0] + dx), np.arange(len(order)))
    light = 0.45 + 0.55 * facing[:, None]
    shade = np.where(dose[:, None] > 0.0, colours(dose / top), _SKIN * light)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[last >= 0] = np.clip(shade[order][last[last >= 0]], 1, 255).astype(np.uint8)
    return picture


def _mark(surface: SkinSurface, view: _View, peak: Peak, corner: F64) -> F64 | None:
    """Where the peak lies in the view's panel, px; None where the view does not show it."""
    if peak.cell is None or float(surface.normals[peak.cell] @ np.array(view.near)) <= 0.35:
        return None
    radius = np.ceil(_DISC_MM / _PX_MM)
    return np.asarray(_page(surface.points_mm[[peak.cell]], view)[0] - corner + radius)


def _legend(sheet: Image.Image, left: int, peak: Peak, top: float) -> None:
    from PIL import ImageDraw

    from carm_env.view.drawing import QUIET, TEXT, font

    pen = ImageDraw.Draw(sheet)
    first, last = _TITLE_PX, max(sheet.height - 3 * _MARGIN_PX, _TITLE_PX + 1)
    for y in range(first, last + 1):
        colour = colours((last - y) / (last - first))
        pen.line((left, y, left + _BAR_PX, y), fill=tuple(int(c) for c in colour))
    for share in np.linspace(0.0, 1.0, _TICKS):
        y = last - share * (last - first)
        pen.text((left + _BAR_PX + 6, y - 8), f"{share * top:.3g}", fill=QUIET, font=font(13))
    pen.text((left, 10), f"mGy, peak {peak.mgy:.3g}", fill=TEXT, font=font(13))
