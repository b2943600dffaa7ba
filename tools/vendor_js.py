"""Vendor the browser libraries: run once per upgrade, commit the result; nothing needs npm afterwards.

``npm pack`` fetches each package, the named files are taken out of it, pointers to source maps are removed (a
manifest storage would look for the maps) and ``VENDOR.toml`` records name, version, licence, path and sha256.

    python tools/vendor_js.py           fetch everything again
    python tools/vendor_js.py --check   compare the files with VENDOR.toml; exit 2 and name what differs
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

VENDOR_DIR = Path(__file__).resolve().parent.parent / "src" / "shouxin" / "web" / "static" / "vendor"
MANIFEST_NAME = "VENDOR.toml"
SOURCE_MAP = re.compile(rb"\s*(?://[#@]\s*sourceMappingURL=[^\n]*|/\*[#@]\s*sourceMappingURL=[^*]*\*/)\s*")

MIT_TEXT = """The MIT License (MIT)

{copyright}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

ICON_NAMES = """
    adjustments-horizontal alert-octagon alert-triangle arrow-right article bell briefcase
    building-bank building-community calendar-event chart-bar check chevron-left chevron-right
    circle-check circle-x clipboard-data clock coin credit-card database-import download
    external-link eye file-certificate file-search filter gavel git-merge hand-stop history inbox
    info-circle key language layout-dashboard list-tree lock logout maximize menu-2 pencil phone
    photo plus printer refresh report-analytics route scale search settings shield-check sitemap
    trash user user-plus users users-group vector x zoom-in zoom-out
""".split()  # noqa: SIM905 — sixty names read better as prose


@dataclass(frozen=True)
class Library:
    """One npm package: ``files`` maps a path in the package to a path under ``folder``."""

    package: str
    version: str
    licence: str
    folder: str
    files: dict[str, str]
    copyright: str = ""
    """The copyright line for packages that carry no licence text of their own."""


LIBRARIES = (
    Library(
        "@tabler/core",
        "1.6.1",
        "MIT",
        "tabler",
        {"dist/css/tabler.min.css": "tabler.min.css", "dist/js/tabler.min.js": "tabler.min.js"},
        copyright="Copyright 2018-2026 The Tabler Authors\nCopyright 2018-2026 codecalm.net Paweł Kuna",
    ),
    # Tabler's files contain these two; their licences ask to be kept beside the code.
    Library("bootstrap", "5.3.8", "MIT", "tabler", {"LICENSE": "LICENSE-bootstrap.txt"}),
    Library("@popperjs/core", "2.11.8", "MIT", "tabler", {"LICENSE.md": "LICENSE-popper.txt"}),
    Library(
        "@tabler/icons",
        "3.52.0",
        "MIT",
        "tabler-icons",
        {"LICENSE": "LICENSE.txt"} | {f"icons/outline/{name}.svg": f"{name}.svg" for name in ICON_NAMES},
    ),
    Library(
        "echarts",
        "6.1.0",
        "Apache-2.0",
        "echarts",
        {
            "dist/echarts.min.js": "echarts.min.js",
            "LICENSE": "LICENSE.txt",
            "NOTICE": "NOTICE.txt",
            "licenses/LICENSE-d3": "LICENSE-d3.txt",
        },
    ),
    Library(
        "cytoscape",
        "3.34.4",
        "MIT",
        "cytoscape",
        {"dist/cytoscape.min.js": "cytoscape.min.js", "LICENSE": "LICENSE.txt"},
    ),
    Library(
        "cytoscape-dagre",
        "4.0.1",
        "MIT",
        "cytoscape",
        {"dist/cytoscape-dagre.min.js": "cytoscape-dagre.min.js", "LICENSE": "LICENSE-cytoscape-dagre.txt"},
    ),
    # Bundled inside cytoscape-dagre.
    Library("@dagrejs/dagre", "3.0.0", "MIT", "cytoscape", {"LICENSE": "LICENSE-dagre.txt"}),
)


def without_source_map(content: bytes) -> bytes:
    return SOURCE_MAP.sub(b"\n", content)


def _pack(library: Library, into: Path) -> Path:
    done = subprocess.run(
        ["npm", "pack", "--silent", f"{library.package}@{library.version}"],
        cwd=into,
        check=True,
        capture_output=True,
        text=True,
    )
    return into / done.stdout.split()[-1]


def _write(library: Library, archive: Path, vendor_dir: Path) -> list[dict[str, str]]:
    folder = vendor_dir / library.folder
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with tarfile.open(archive) as tar:
        for source, target in library.files.items():
            member = tar.extractfile(f"package/{source}")
            if member is None:
                raise FileNotFoundError(f"{library.package}@{library.version} has no {source}")
            content = member.read()
            if target.endswith((".js", ".css")):
                content = without_source_map(content)
            written.append(_record(library, folder / target, content, vendor_dir))
    if library.copyright:
        text = MIT_TEXT.format(copyright=library.copyright).encode()
        written.append(_record(library, folder / "LICENSE.txt", text, vendor_dir))
    return written


def _record(library: Library, path: Path, content: bytes, vendor_dir: Path) -> dict[str, str]:
    path.write_bytes(content)
    return {
        "name": library.package,
        "version": library.version,
        "licence": library.licence,
        "file": path.relative_to(vendor_dir).as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _manifest(records: list[dict[str, str]]) -> str:
    head = "# Written by tools/vendor_js.py. Do not edit the files that it names.\n"
    blocks = [
        "[[file]]\n" + "".join(f'{key} = "{value}"\n' for key, value in record.items())
        for record in sorted(records, key=lambda record: record["file"])
    ]
    return head + "\n" + "\n".join(blocks)


def vendor(vendor_dir: Path = VENDOR_DIR) -> int:
    """Fetch every library into ``vendor_dir``; returns the number of files written."""
    records: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        archives = [(library, _pack(library, Path(scratch))) for library in LIBRARIES]
        if vendor_dir.exists():
            shutil.rmtree(vendor_dir)
        for library, archive in archives:
            records += _write(library, archive, vendor_dir)
    (vendor_dir / MANIFEST_NAME).write_text(_manifest(records), encoding="utf-8")
    return len(records)


def differences(vendor_dir: Path = VENDOR_DIR) -> list[str]:
    """What a reader should know before trusting the folder: changed, missing and unlisted files."""
    listed = tomllib.loads((vendor_dir / MANIFEST_NAME).read_text(encoding="utf-8"))["file"]
    found = {path.relative_to(vendor_dir).as_posix() for path in vendor_dir.rglob("*") if path.is_file()}
    found.discard(MANIFEST_NAME)
    problems = []
    for record in listed:
        if record["file"] not in found:
            problems.append(f"missing: {record['file']}")
        elif hashlib.sha256((vendor_dir / record["file"]).read_bytes()).hexdigest() != record["sha256"]:
            problems.append(f"changed: {record['file']}")
    problems += [f"not listed: {name}" for name in sorted(found - {record["file"] for record in listed})]
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the committed files with VENDOR.toml")
    if parser.parse_args().check:
        problems = differences()
        print("\n".join(problems) or "vendored files agree with VENDOR.toml")
        return 2 if problems else 0
    print(f"{vendor()} files written to {VENDOR_DIR.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
