"""How a file's name ends, and what that says before it is opened; what it holds, decoding finds out."""

from __future__ import annotations

READ = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".npy"}
) | {".ppm", ".pgm", ".pbm", ".pnm", ".avif"}
"""Suffixes of images that `decode` reads, in lower case."""

FOREIGN = frozenset(
    {".heic", ".heif", ".jp2", ".j2k", ".jxl", ".psd", ".svg", ".eps", ".xcf", ".tga", ".exr"}
) | {".hdr", ".ico", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2"}
"""Suffixes of images that `decode` does not read."""

CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "icon\r"})
"""What systems leave behind, by lower-case name; skipped like hidden files, whose names begin with a dot."""

OURS = ".convworks"
"""How the names of hidden files begin that Convworks itself writes beside images; nothing is said of them."""


def suffix(name: str) -> str:
    """The suffix in lower case, with its dot; "" where there is none.

    >>> suffix("cats/Tom.JPG")
    '.jpg'
    """
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return (dot + ending).lower() if stem else ""


def hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen."""
    return name.startswith(".") or name.lower() in CLUTTER
