"""Pictures of a run: which there are, what each shows, and how small they can be."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hepflow.records.sbi import method_label
from hepflow.report.content import Figure
from hepflow.report.numbers import identifier, plain
from hepflow.stamps import read_stamp
from hepflow.storage.atomic import storage_errors

_log = logging.getLogger(__name__)

N_MINUS_1: Final = "n_minus_1_"
_OF_FIT: Final = "statistics"  # folder of the figures about the fit
_OF_INFERENCE: Final = "inference"  # of those about simulation-based inference
_MEDIA: Final = {".png": "image/png", ".svg": "image/svg+xml"}  # in the order of preference
_VARIATIONS: Final = "/variations"  # end of the folder of a channel's template variations
_COLOURS: Final = 256
_WHITE: Final = 248  # of 255
_OPAQUE: Final = (255, 255)  # least and largest
# Begin of the name of a figure about the fit -> kind, title, what it shows
_FIT_FIGURES: Final = (
    (
        "prefit_",
        "prefit",
        "{} before the fit",
        "Data and the model's prediction in {} before the fit, with the ratio below",
    ),
    (
        "postfit_",
        "postfit",
        "{} after the fit",
        "Data and the model's prediction in {} after the fit, with the ratio below",
    ),
    (
        "validation_prefit_",
        "validation",
        "{} before the fit",
        "Data and the model's prediction in {} before the fit, which is not of this region",
    ),
    (
        "validation_postfit_",
        "validation",
        "{} after the fit",
        "Data and the model's prediction in {} after the fit, which is not of this region",
    ),
    ("pulls", "pulls", "Pulls {}", "Pulls and constraints of the nuisance parameters"),
    ("correlation", "correlation", "Correlations", "Correlation of the parameters of the fit"),
    (
        "ranking_groups",
        "ranking",
        "Ranking of groups",
        "Impact of groups of parameters on the parameter of interest",
    ),
    (
        "ranking",
        "ranking",
        "Ranking",
        "Impact of the parameters on the parameter of interest, with their pulls",
    ),
    ("limit", "limit", "CLs scan", "CLs against the parameter of interest, with expected bands"),
    ("scan", "scan", "Likelihood scan {}", "Profiled likelihood against {}"),
    ("likelihood", "scan", "Likelihood scan {}", "Profiled likelihood against {}"),
    ("goodness", "goodness", "Goodness of fit", "Goodness of fit of the toys and of the data"),
)
# Begin of the name of a figure about simulation-based inference -> title, what it shows
_SBI_FIGURES: Final = (
    ("samples_", "Samples: {}", "Distribution of {} at several parameter points"),
    ("losses_", "Losses: {}", "Losses of training and validation of {} by epoch"),
    ("ratio_", "Estimates: {}", "Estimated against known values of {}"),
    ("contours_", "Regions: {}", "Confidence regions of the parameters by {}"),
    ("contours", "Regions of all methods", "Confidence regions of the parameters by all methods"),
    ("information", "Fisher information {}", "Ellipses of the Fisher information"),
    ("closure_scores", "Closure of scores", "Means of estimated scores, which are known"),
    ("closure", "Closure of ratios", "Means of estimated ratios, which are known"),
    ("reliability_", "Reliability: {}", "Probabilities that {} states, and how often it is right"),
    ("reweighting_", "Reweighting: {}", "Distribution reweighted with the estimated ratio of {}"),
    ("coverage", "Coverage {}", "How often regions of toys contain their truth"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the folder of the plots."""

    path: Path
    folder: str  # below the plots: a channel, or "statistics"; "" for the plots themselves
    name: str  # without suffix

    @property
    def kind(self) -> str:
        """What it shows: ``data``, ``n_minus_1``, ``prefit``, ``pulls``, ...; else ``other``."""
        if self.folder == _OF_FIT:
            return next((kind for start, kind, _, _ in _FIT_FIGURES if self._is(start)), "other")
        if self.folder == _OF_INFERENCE:
            return "sbi"
        if self.folder.endswith(_VARIATIONS):
            return "template"
        if not self.folder or "/" in self.folder:
            return "other"
        return "n_minus_1" if self.name.startswith(N_MINUS_1) else "data"

    def _is(self, start: str) -> bool:
        return self.name.startswith(start)


def find_pictures(plots: Path) -> tuple[Picture, ...]:
    """Pictures that a run drew, one of each figure, sorted by folder and name.

    A picture without the stamp of a run is left out: it may be of anything.
    """
    return tuple(_found(plots)) if plots.is_dir() else ()


def _found(plots: Path) -> Iterator[Picture]:
    for stamp in sorted(plots.rglob(".*.key.json")):
        name = stamp.name.removeprefix(".").removesuffix(".key.json")
        stored = read_stamp(stamp.parent, stamp.name)
        files = [stamp.parent / f"{name}{suffix}" for suffix in _MEDIA]
        there = [file for file in files if stored and file in stored.files and file.is_file()]
        if there:
            folder = stamp.parent.relative_to(plots).as_posix()
            yield Picture(there[0], "" if folder == "." else folder, name)


def readable_figures(
    pictures: Iterable[Picture], labels: Mapping[tuple[str, str], str]
) -> tuple[Figure, ...]:
    """Figures of pictures; one that is no picture is left out with a warning.

    Parameters
    ----------
    pictures, labels
        As for `figure_of`.

    Raises
    ------
    StorageError
        A file cannot be read.
    """
    from PIL import UnidentifiedImageError

    found = []
    for picture in pictures:
        try:
            found.append(figure_of(picture, labels))
        except (UnidentifiedImageError, SyntaxError, EOFError, ValueError) as error:
            _log.warning("%s is no picture and is left out: %s", picture.path, error)
    return tuple(found)


def figure_of(picture: Picture, labels: Mapping[tuple[str, str], str]) -> Figure:
    """Read a picture and say in words what it shows.

    Parameters
    ----------
    picture
        One that `find_pictures` found.
    labels
        Axis titles by channel and observable.

    Raises
    ------
    StorageError
        The file cannot be read.
    """
    of_inference = picture.kind == "sbi"
    title, alt = _sbi_words(picture.name) if of_inference else _words(picture, labels)
    with storage_errors(picture.path, "read"):
        image = picture.path.read_bytes()
    suffix, size = picture.path.suffix, None
    if suffix == ".png":
        image, size = smaller(image)
    name = identifier(picture.folder, picture.name)
    return Figure(name, title, f"{alt}.", image, _MEDIA[suffix], size)


def _words(picture: Picture, labels: Mapping[tuple[str, str], str]) -> tuple[str, str]:
    """Title and alternative text of a picture."""
    folder, name = picture.folder, picture.name
    if folder == _OF_FIT:
        for start, _, title, alt in _FIT_FIGURES:
            if name.startswith(start):
                rest = name.removeprefix(start).strip("_").replace("_", " ")
                return title.format(rest).strip(), alt.format(rest or "its parameters")
        return name, f"Figure {name} of the fit"
    if picture.kind == "template":
        channel = folder.removesuffix(_VARIATIONS)
        alt = f"Templates of {channel} for {name} up and down and nominal, with their ratio below"
        return f"{channel}: {name}", alt
    if picture.kind == "other":
        return name, f"Figure {name} of {folder}" if folder else f"Figure {name}"
    shown = plain(labels.get((folder, name), "")) or name
    if picture.kind == "n_minus_1":
        cut = name.removeprefix(N_MINUS_1)
        return f"{folder}: without {cut}", (
            f"{shown} in {folder}, of the events that pass all cuts but {cut}"
        )
    return f"{folder}: {name}", f"Data and prediction of {shown} in {folder}, with the ratio below"


def _sbi_words(name: str) -> tuple[str, str]:
    """Title and alternative text of a figure about simulation-based inference."""
    for start, title, alt in _SBI_FIGURES:
        if name.startswith(start):
            rest = name.removeprefix(start).strip("_")
            words = " ".join(map(method_label, rest.split("_"))) if start != "samples_" else rest
            words = words.replace("_", " ")
            return title.format(words).strip(), alt.format(words)
    return name, f"Figure {name} of the inference"


def _paper_white(palette: list[int]) -> list[int]:
    """A palette whose colour next to white is white: a mean of white and grey would show."""
    colours = [palette[i : i + 3] for i in range(0, len(palette), 3)]
    return [value for one in colours for value in ((255,) * 3 if min(one) >= _WHITE else one)]


def smaller(png: bytes) -> tuple[bytes, tuple[int, int]]:
    """A PNG with a palette of 256 colours, a third of the size, and its width and height.

    Figures are flat colours: nothing can be seen of it.
    """
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        whole = image.convert("RGBA")
    sheet = whole.convert("RGB")
    if whole.getchannel("A").getextrema() != _OPAQUE:
        sheet = Image.new("RGB", whole.size, "white")
        sheet.paste(whole, mask=whole.getchannel("A"))
    few = sheet.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)
    few.putpalette(_paper_white(few.getpalette() or []))
    buffer = io.BytesIO()
    few.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue(), sheet.size
