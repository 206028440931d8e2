"""The archive that is uploaded: the files of a folder side by side, the same bytes for the same files."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from pathlib import Path
from typing import Final

__all__ = ["pack"]

EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip file knows


def pack(folder: Path, target: Path, *, suffix: str) -> None:
    """Pack the files of a folder; no name of a user or a machine and no date goes along.

    Args:
        folder: holds files only.
        target: the archive.
        suffix: one of :data:`bayescomb.hepdata_archive.ARCHIVES`.

    Examples:
        >>> import tarfile, tempfile
        >>> from pathlib import Path
        >>> from bayescomb.export_archive import pack
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = Path(place, "folder")
        ...     folder.mkdir()
        ...     _ = (folder / "submission.yaml").write_text("comment: none")
        ...     pack(folder, Path(place, "a.tar.gz"), suffix=".tar.gz")
        ...     with tarfile.open(Path(place, "a.tar.gz")) as archive:
        ...         archive.getnames()
        ['submission.yaml']
    """
    files = sorted(folder.iterdir())
    if suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for file in files:
                entry = zipfile.ZipInfo(file.name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes())
        return
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as packed,
    ):
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.size, info.mode = file.stat().st_size, 0o644
            with file.open("rb") as content:
                packed.addfile(info, content)
