"""A figure drawn once for all its formats.

Matplotlib lays a figure out anew for every format, which takes longer than drawing it. Here it
is drawn for the picture, and what was drawn is repeated to scale for the other formats. They
have the same content at the same places, and what is text or a vector stays so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.transforms import Affine2D, Bbox, TransformedPath

from hepflow.plotting.sharing import letters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 72.0  # an inch
Step = Callable[[Any, "Scale"], None]  # draws one thing with a renderer


@dataclass(frozen=True)
class Recording:
    """A figure as drawn: its pixels, and the steps that draw it elsewhere."""

    inches: tuple[float, float]  # width, height
    dpi: float
    pixels: Any  # uint8, shape (height, width, 4)
    steps: tuple[Step, ...]

    def figure(self) -> Figure:
        """Figure that draws the same, for any backend."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=self.inches, dpi=self.dpi, frameon=False)
        figure.add_artist(_Repeat(self))
        return figure


class Scale:
    """From the pixels of a recording to the units of another renderer."""

    def __init__(self, factor: float, height: float) -> None:
        self.factor = factor
        self.height = height  # of the recording [px]
        self._matrix = np.diag([factor, factor, 1.0])
        # Renderers compare clips by identity: one object for each of the recording.
        self._clip = functools.cache(self._new_clip)
        self._path = functools.cache(self._new_path)

    def transform(self, matrix: Any) -> Affine2D:
        """Transform of the recording, followed by the scale."""
        return Affine2D(self._matrix @ matrix)

    def context(self, renderer: Any, state: GraphicsContextBase) -> Any:
        """Graphics context with the properties of `state`, whose lengths are in points."""
        context = renderer.new_gc()
        context.copy_properties(state)
        clip: Any = state.get_clip_rectangle()
        if clip is not None:
            context.set_clip_rectangle(self._clip(clip.bounds))
        path, affine = state.get_clip_path()  # both or none
        if path is not None and affine is not None:
            context.set_clip_path(self._path(path, tuple(np.ravel(affine.get_matrix()))))
        return context

    def _new_clip(self, bounds: tuple[float, ...]) -> Bbox:
        left, bottom, width, height = (self.factor * bound for bound in bounds)
        return Bbox.from_bounds(left, bottom, width, height)

    def _new_path(self, path: Any, matrix: tuple[float, ...]) -> TransformedPath:
        return TransformedPath(path, self.transform(np.reshape(matrix, (3, 3))))


class _Repeat(Artist):
    """Draws a recording."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def draw(self, renderer: RendererBase) -> None:
        """Repeat the steps to the scale of the renderer."""
        recording = self._recording
        factor = _pixels(renderer, _POINTS) / recording.dpi
        scale = Scale(factor, recording.pixels.shape[0])
        for step in recording.steps:
            step(renderer, scale)


def _pixels(renderer: Any, points: float) -> float:
    return float(renderer.points_to_pixels(points))


class Recorder(RendererBase):
    """Renderer of pictures that takes down what it is told to draw."""

    def __init__(self, width: int, height: int, dpi: float) -> None:
        super().__init__()
        agg: Any = RendererAgg
        self.agg = agg(width, height, dpi)
        self.steps: list[Step] = []
        self._first_of_image = 0  # step of what is to be an image in all formats

    @property
    def pixels(self) -> Any:
        """What was drawn, uint8, shape (height, width, 4)."""
        return np.asarray(self.agg.buffer_rgba())

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Width and height [px]."""
        width, height = self.agg.get_canvas_width_height()
        return width, height

    def points_to_pixels(self, points: Any) -> Any:
        """Convert a length."""
        return self.agg.points_to_pixels(points)

    def option_image_nocomposite(self) -> bool:
        """Draw each image by itself."""
        return True

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        """Size of a text [px]."""
        return _size_of_text(s, prop.copy(), ismath, self.agg.dpi, letters())

    def start_rasterizing(self) -> None:
        """Have what follows an image in all formats: a colour bar of areas would show seams."""
        self._first_of_image = len(self.steps)

    def stop_rasterizing(self) -> None:
        """Put an image in the place of the steps since the start."""
        steps = self.steps[self._first_of_image :]
        del self.steps[self._first_of_image :]
        width, height = self.get_canvas_width_height()
        sheet = Recorder(int(width), int(height), self.agg.dpi)
        for step in steps:
            step(sheet.agg, Scale(1.0, height))
        drawn = sheet.pixels[..., 3] > 0
        rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
        if not len(rows):
            return
        (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
        image = sheet.pixels[bottom : top - 1 if top else None : -1, left : right + 1]
        x, y = float(left), float(height - 1 - bottom)

        def draw(to: Any, scale: Scale) -> None:
            to.draw_image(to.new_gc(), x * scale.factor, y * scale.factor, image)

        self.steps.append(draw)

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:  # noqa: N803 -- matplotlib's name
        """Draw a line or an area."""
        self.agg.draw_path(gc, path, transform, rgbFace)
        state, matrix = _copy(gc), transform.get_matrix().copy()

        def step(to: Any, scale: Scale) -> None:
            to.draw_path(scale.context(to, state), path, scale.transform(matrix), rgbFace)

        self.steps.append(step)

    def draw_markers(
        self,
        gc: Any,
        marker_path: Any,
        marker_trans: Any,
        path: Any,
        trans: Any,
        rgbFace: Any = None,  # noqa: N803 -- matplotlib's name
    ) -> None:
        """Draw a marker at each point of a path."""
        self.agg.draw_markers(gc, marker_path, marker_trans, path, trans, rgbFace)
        state = _copy(gc)
        shape, matrix = marker_trans.get_matrix().copy(), trans.get_matrix().copy()

        def step(to: Any, scale: Scale) -> None:
            context = scale.context(to, state)
            here = scale.transform(matrix)
            to.draw_markers(context, marker_path, scale.transform(shape), path, here, rgbFace)

        self.steps.append(step)

    def draw_path_collection(
        self,
        gc: Any,
        master_transform: Any,
        paths: Any,
        all_transforms: Any,
        offsets: Any,
        offset_trans: Any,
        *looks: Any,
        **more_looks: Any,
    ) -> None:
        """Draw many paths, of which only the transforms depend on the scale."""
        what = (paths, all_transforms, offsets)
        self.agg.draw_path_collection(
            gc, master_transform, *what, offset_trans, *looks, **more_looks
        )
        state = _copy(gc)
        master, offset = master_transform.get_matrix().copy(), offset_trans.get_matrix().copy()

        def step(to: Any, scale: Scale) -> None:
            context, there = scale.context(to, state), scale.transform(offset)
            to.draw_path_collection(
                context, scale.transform(master), *what, there, *looks, **more_looks
            )

        self.steps.append(step)

    def draw_quad_mesh(  # noqa: PLR0913, PLR0917 -- matplotlib's interface
        self,
        gc: Any,
        master_transform: Any,
        meshWidth: Any,  # noqa: N803 -- matplotlib's name
        meshHeight: Any,  # noqa: N803 -- matplotlib's name
        coordinates: Any,
        offsets: Any,
        offsetTrans: Any,  # noqa: N803 -- matplotlib's name
        *looks: Any,
    ) -> None:
        """Draw a mesh such as that of a colour bar."""
        what = (meshWidth, meshHeight, coordinates, offsets)
        self.agg.draw_quad_mesh(gc, master_transform, *what, offsetTrans, *looks)
        state = _copy(gc)
        master, offset = master_transform.get_matrix().copy(), offsetTrans.get_matrix().copy()

        def step(to: Any, scale: Scale) -> None:
            context, there = scale.context(to, state), scale.transform(offset)
            to.draw_quad_mesh(context, scale.transform(master), *what, there, *looks)

        self.steps.append(step)

    def draw_image(self, gc: Any, x: float, y: float, im: Any, transform: Any = None) -> None:
        """Draw an image in the resolution of the picture."""
        if transform is not None:
            raise NotImplementedError("an image with a transform is not recorded")
        self.agg.draw_image(gc, x, y, im)
        state = _copy(gc)

        def step(to: Any, scale: Scale) -> None:
            to.draw_image(scale.context(to, state), x * scale.factor, y * scale.factor, im)

        self.steps.append(step)

    def draw_text(  # noqa: PLR0913, PLR0917 -- matplotlib's interface
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        """Draw a line of text; `y` is from the top."""
        self.agg.draw_text(gc, x, y, s, prop, angle, ismath=ismath, mtext=mtext)
        state, font = _copy(gc), prop.copy()

        def step(to: Any, scale: Scale) -> None:
            context = scale.context(to, state)
            up = (scale.height - y) * scale.factor
            height = to.get_canvas_width_height()[1]
            to.draw_text(
                context,
                x * scale.factor,
                height - up if to.flipy() else up,
                s,
                font,
                angle,
                ismath=ismath,
            )

        self.steps.append(step)


@functools.lru_cache(maxsize=4096)
def _size_of_text(
    text: str, font: Any, ismath: Any, dpi: float, of_tex: tuple[str, str]
) -> tuple[float, ...]:
    """Width, height, descent [px]; figures of a run have most of their texts in common."""
    return tuple(_ruler(dpi, of_tex).agg.get_text_width_height_descent(text, font, ismath))


def ruler(dpi: float) -> Recorder:
    """Renderer to measure texts with."""
    return _ruler(dpi, letters())


@functools.lru_cache(maxsize=8)
def _ruler(dpi: float, _of_tex: tuple[str, str]) -> Recorder:
    return Recorder(1, 1, dpi)


def _copy(context: Any) -> GraphicsContextBase:
    """Properties of a graphics context as they are now."""
    state = GraphicsContextBase()
    state.copy_properties(context)
    clip = context.get_clip_rectangle()
    if clip is not None:
        state.set_clip_rectangle(Bbox.from_bounds(*clip.bounds))
    return state


def record(figure: Figure, dpi: float) -> Recording:
    """Draw a figure as a picture and take down how.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is not changed.
    dpi : float
        Resolution of the picture.
    """
    usual, inches = figure.dpi, figure.get_size_inches()
    width, height = (int(length * dpi) for length in inches)
    recorder = Recorder(width, height, dpi)
    try:
        figure.dpi = dpi
        figure.draw(recorder)
    finally:
        figure.dpi = usual
    return Recording((inches[0], inches[1]), dpi, recorder.pixels, tuple(recorder.steps))
