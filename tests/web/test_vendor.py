"""The browser libraries are those that the manifest names, and English stands beside every Chinese text."""

import gettext
import importlib.util
import io
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB_DIR = ROOT / "src" / "shouxin" / "web"


def _tool(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    __import__("sys").modules[name] = module
    found.loader.exec_module(module)
    return module


vendor_js = _tool("vendor_js")
compile_messages = _tool("compile_messages")


def test_every_vendored_file_has_the_sha256_of_the_manifest() -> None:
    assert vendor_js.differences() == []


def test_a_changed_a_missing_and_an_unlisted_file_are_named(tmp_path: Path) -> None:
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of "hello"
    entries = "".join(f'[[file]]\nfile = "{name}"\nsha256 = "{digest}"\n' for name in ("a.js", "b.js", "c.js"))
    (tmp_path / "VENDOR.toml").write_text(entries)
    (tmp_path / "a.js").write_text("hello")
    (tmp_path / "b.js").write_text("other")
    (tmp_path / "d.js").write_text("stray")
    assert vendor_js.differences(tmp_path) == ["changed: b.js", "missing: c.js", "not listed: d.js"]


@pytest.mark.parametrize("pointer", [b"//# sourceMappingURL=x.js.map", b"/*# sourceMappingURL=x.css.map */"])
def test_pointers_to_source_maps_are_removed(pointer: bytes) -> None:
    assert vendor_js.without_source_map(b"code;\n" + pointer + b"\n") == b"code;\n"


def test_no_static_file_points_to_a_source_map() -> None:
    for path in (WEB_DIR / "static").rglob("*.[cj]s*"):
        assert b"sourceMappingURL" not in path.read_bytes(), path.name


def test_every_licence_is_beside_its_library() -> None:
    for library in vendor_js.LIBRARIES:
        assert list((vendor_js.VENDOR_DIR / library.folder).glob("LICENSE*")), library.package


def test_every_text_has_english_and_the_compiled_catalogue_is_fresh() -> None:
    assert compile_messages.problems() == []


def test_the_compiled_catalogue_reads_as_gettext_does() -> None:
    messages = compile_messages.read_catalogue()
    compiled = gettext.GNUTranslations(io.BytesIO(compile_messages.compile_catalogue(messages)))
    plain = [message for message in messages[1:] if not message.plural]
    assert all(compiled.gettext(message.text) == message.translations[0] for message in plain)
    counted = [message for message in messages[1:] if message.plural]
    assert all(compiled.ngettext(message.text, message.plural, 2) == message.translations[1] for message in counted)


def test_templates_hold_no_script_style_or_handler_of_their_own() -> None:
    """The content security policy allows scripts from files only; JSON blocks are data."""
    forbidden = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
    for path in (ROOT / "src" / "shouxin").rglob("templates/**/*.html"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path.name


def test_our_scripts_import_nothing_and_build_no_html() -> None:
    """Hashed static names are not rewritten inside scripts, and texts from data must stay texts."""
    for path in (WEB_DIR / "static" / "shouxin").glob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*import\b|\bimport\(|innerHTML|insertAdjacentHTML|\beval\(", source, re.MULTILINE), (
            path.name
        )
