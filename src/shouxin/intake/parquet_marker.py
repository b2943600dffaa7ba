"""Tell a folder of Parquet evidence, without loading the libraries that read it."""

from pathlib import Path


def is_parquet(source: Path) -> bool:
    """Whether a folder holds a register as Parquet."""
    return source.is_dir() and (source / "holdings.parquet").is_file()
