"""English for the pages: list the Chinese texts in use and compile the catalogue, without the gettext programs.

    python tools/compile_messages.py            write django.mo beside django.po
    python tools/compile_messages.py --check    exit 2 when a text lacks its English or the .mo is stale

Texts are written in Chinese in templates ({% trans %}, {% blocktrans %}, _("…")) and in Python (gettext, _, ngettext
and their lazy forms); the catalogue holds their English.
"""

import argparse
import ast
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_DIR = ROOT / "src" / "shouxin"
CATALOGUE = PACKAGE_DIR / "web" / "locale" / "en" / "LC_MESSAGES" / "django.po"
ONE_TEXT = {"_", "gettext", "gettext_lazy", "gettext_noop"}
TWO_TEXTS = {"ngettext", "ngettext_lazy"}
MAGIC = 0x950412DE
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")


@dataclass(frozen=True)
class Message:
    """One entry: ``plural`` is empty for a text without number."""

    text: str
    plural: str
    translations: tuple[str, ...]


class CatalogueError(ValueError):
    """A line of the .po file that cannot be read."""


def read_catalogue(path: Path = CATALOGUE) -> list[Message]:
    """The entries of a .po file, the header (empty text) first."""
    messages: list[Message] = []
    parts: dict[str, str] = {}
    key = ""
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), 'msgid ""'], start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith('"'):
            parts[key] += ast.literal_eval(stripped)
            continue
        match = re.fullmatch(r'(msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")', stripped)
        if match is None:
            raise CatalogueError(f"{path.name}:{number}: {stripped}")
        key = match[1]
        if key == "msgid" and parts:
            messages.append(_message(parts))
            parts = {}
        parts[key] = ast.literal_eval(match[2])
    return messages


def complete_catalogue() -> list[Message]:
    """The .po file's entries, and the names that the policy files give in both languages (products, parameters)."""
    from shouxin.policy.loader import RULES_DIR, read_mapping
    from shouxin.policy.products import catalogue

    messages = read_catalogue()
    pairs = {product.name: product.name_en for product in catalogue().values()}
    for file in sorted(RULES_DIR.glob("*.yaml")):
        pairs |= {body["title"]: body.get("title_en", "") for body in read_mapping(file).values()}
    known = {message.text for message in messages}
    return messages + [
        Message(text, "", (english,)) for text, english in pairs.items() if text not in known and english
    ]


def _message(parts: dict[str, str]) -> Message:
    translations = tuple(value for key, value in sorted(parts.items()) if key.startswith("msgstr"))
    return Message(parts["msgid"], parts.get("msgid_plural", ""), translations)


def compile_catalogue(messages: list[Message]) -> bytes:
    """The bytes of a .mo file: sorted, little endian, untranslated entries left out."""
    entries = sorted(
        (
            "\0".join(filter(None, (message.text, message.plural))).encode(),
            "\0".join(message.translations).encode(),
        )
        for message in messages
        if all(message.translations)
    )
    texts_at = 7 * 4
    translations_at = texts_at + 8 * len(entries)
    position = translations_at + 8 * len(entries)
    tables: list[list[int]] = [[], []]
    bodies = [b"", b""]
    for side in (0, 1):
        for entry in entries:
            tables[side] += [len(entry[side]), position]
            bodies[side] += entry[side] + b"\0"
            position += len(entry[side]) + 1
    head = struct.pack("<7I", MAGIC, 0, len(entries), texts_at, translations_at, 0, position)
    return head + struct.pack(f"<{4 * len(entries)}I", *tables[0], *tables[1]) + bodies[0] + bodies[1]


def used_texts(package_dir: Path = PACKAGE_DIR) -> dict[str, str]:
    """Every text marked for translation and the first file that uses it."""
    used: dict[str, str] = {}
    for path in sorted(package_dir.rglob("*")):
        if path.suffix == ".html":
            texts = _texts_in_template(path)
        elif path.suffix == ".py" and "migrations" not in path.parts:
            texts = _texts_in_python(path.read_text(encoding="utf-8"))
        else:
            continue
        for text in texts:
            used.setdefault(text, path.relative_to(package_dir).as_posix())
    return used


def _texts_in_template(path: Path) -> Iterator[str]:
    from django.utils.translation import templatize

    # The result looks like Python only inside its parentheses, so each call is read by itself.
    source = templatize(path.read_text(encoding="utf-8"), origin=path.name)
    for match in re.finditer(r"\b(n?gettext|_)\((?=u?['\"])", source):
        yield from _first_texts(source[match.start() :])


def _first_texts(source: str) -> Iterator[str]:
    literal = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    match = re.match(rf"(n?gettext|_)\({literal}", source)
    if match is not None:
        yield ast.literal_eval(match[2])


def _texts_in_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        first = node.args[0]
        if name in ONE_TEXT | TWO_TEXTS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value
        if name == "Finding":
            yield from _texts_of_finding(node)


def _texts_of_finding(call: ast.Call) -> Iterator[str]:
    """What to do and the names of the figures: written in the rule, translated where a page shows them."""
    for given in call.keywords:
        if given.arg == "remedy" and isinstance(given.value, ast.Constant):
            yield given.value.value
        elif given.arg == "inputs" and isinstance(given.value, ast.Dict):
            for key in given.value.keys:
                if isinstance(key, ast.Constant):
                    yield key.value


def problems() -> list[str]:
    """Texts without English, English that loses a placeholder, and a stale .mo."""
    messages = read_catalogue()
    english = {message.text: message for message in messages if all(message.translations)}
    found = [f"no English: {text!r} ({where})" for text, where in used_texts().items() if text not in english]
    for message in messages[1:]:
        wanted = set(PLACEHOLDER.findall(message.text))
        if any(set(PLACEHOLDER.findall(each)) != wanted for each in message.translations):
            found.append(f"placeholders differ: {message.text!r}")
    compiled = CATALOGUE.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != compile_catalogue(complete_catalogue()):
        found.append("django.mo is stale: run python tools/compile_messages.py")
    return found


def main() -> int:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    if not settings.configured:
        settings.configure(USE_I18N=True)
        django.setup()
    if not parser.parse_args().check:
        CATALOGUE.with_suffix(".mo").write_bytes(compile_catalogue(complete_catalogue()))
    found = problems()
    print("\n".join(found) or f"{len(read_catalogue()) - 1} texts in English")
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main())
