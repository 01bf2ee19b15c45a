"""Pictures of a submission with their thumbnails; no ImageMagick is needed for PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_THUMBNAIL: Final = (240, 179)  # pixels, as of hepdata_lib


def write_picture(picture: Path, folder: Path, name: str) -> str:
    """Write ``<name>.png`` and ``thumb_<name>.png``.

    Returns
    -------
    str
        Why there is none; "" where it was written.
    """
    from PIL import Image

    try:
        with Image.open(picture, formats=("PNG",)) as image:
            image.load()
            plain = image.convert("RGBA")
            plain.save(folder / f"{name}.png", format="PNG")
            plain.thumbnail(_THUMBNAIL)
            plain.save(folder / f"thumb_{name}.png", format="PNG")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        for left in (folder / f"{name}.png", folder / f"thumb_{name}.png"):
            left.unlink(missing_ok=True)
        return f"{picture} cannot be read ({type(error).__name__})"
    return ""
