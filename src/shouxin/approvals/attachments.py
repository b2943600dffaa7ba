"""What a file is by its content: a name can say anything."""

import io
import zipfile

_STARTS = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


def kind_of(data: bytes) -> str | None:
    """pdf, png, jpg or docx; None for everything else."""
    for start, kind in _STARTS.items():
        if data.startswith(start):
            return kind
    if not data.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "docx" if "word/document.xml" in archive.namelist() else None
    except (zipfile.BadZipFile, ValueError, OSError):
        return None
