#!/usr/bin/env python3
"""Writes src/text/unicode_tables.inc: what prompt cleaning and tokenizers need to know of Unicode,
and the HTML entities. Origin: Python's unicodedata and html.entities, grapheme properties of the
package `regex`.

    python3 scripts/make_unicode_tables.py

A table is a list of unsigned numbers, each as 7-bit groups (lowest first, high bit = more follow),
the whole in base64. src/text/unicode.cc reads them.
"""

import base64
import html
import html.entities
import pathlib
import unicodedata

import regex

ALL = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def pack(numbers):
    out = bytearray()
    for number in numbers:
        while number >= 0x80:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return base64.b64encode(bytes(out)).decode()


def signed(number):
    return 2 * number if number >= 0 else -2 * number - 1


def decompositions():
    """(code - last code, first - last first, 2 * second + excluded from composition); Hangul is
    arithmetic."""
    numbers, last, last_first = [], 0, 0
    for code in ALL:
        text = unicodedata.decomposition(chr(code))
        if not text or text.startswith("<"):
            continue
        first, second = ([int(part, 16) for part in text.split()] + [0])[:2]
        excluded = unicodedata.normalize("NFC", chr(code)) != chr(code)
        numbers += [code - last, signed(first - last_first), 2 * second + excluded]
        last, last_first = code, first
    return numbers


def runs(kind_of):
    """(begin - last end, length, kind) of every run of equal, non-zero kind."""
    numbers, end, kind = [], 0, 0
    for code in range(0x110000):
        now = 0 if 0xD800 <= code < 0xE000 else kind_of(code)
        if now and now == kind:
            numbers[-2] += 1
        elif now:
            numbers += [code - end, 1, now]
        if now:
            end = code + 1
        kind = now
    return numbers


def grapheme_kind():
    """1 joins what stands before it, 2 joins what follows, 3 stands alone, 4 is a pictograph."""
    kinds = {}
    for kind, pattern in [(4, r"\p{Extended_Pictographic}"),
                          (1, r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]"),
                          (2, r"\p{GCB=Prepend}"), (3, r"[\p{GCB=Control}\r\n]")]:
        matcher = regex.compile(pattern)
        kinds.update({code: kind for code in ALL if matcher.match(chr(code))})
    return lambda code: kinds.get(code, 0)


def widths():
    """U+FF01 on: the usual form,
    0 where there is none. U+FFE3 has two characters: written apart."""
    numbers = []
    for code in range(0xFF01, 0xFFF0):
        usual = unicodedata.normalize("NFKC", chr(code))
        assert len(usual) == 1 or (code == 0xFFE3 and usual == " \u0304")
        numbers.append(ord(usual) if len(usual) == 1 and usual != chr(code) else 0)
    return numbers


def entities():
    """name=value, names as html.entities has them (with or without ';'): those of HTML 4, those
    that need no ';', and the names of ASCII characters. A '^' marks names that only the first
    step of the cleaning knows: lower-case names written in capitals."""
    chosen = {}
    for name, value in sorted(html.entities.html5.items()):
        plain = name.rstrip(";")
        if (plain in html.entities.name2codepoint or plain in html.entities.html5 or
                (len(value) == 1 and value.isascii())):
            chosen[name] = value
    for name, value in sorted(html.entities.html5.items()):
        if not name.endswith(";") or name != name.lower() or name not in chosen:
            continue
        if html.unescape("&" + name.upper()) == "&" + name.upper():
            chosen["^" + name.upper()] = value.upper()
    return " ".join(name + "=" + ",".join("%X" % ord(c) for c in value)
                    for name, value in chosen.items())


def literal(name, text):
    lines = [text[i:i + 92] for i in range(0, len(text), 92)]
    return "constexpr char %s[] =\n%s;\n" % (name, "\n".join('    "%s"' % line for line in lines))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parts = ["// Written by scripts/make_unicode_tables.py from Unicode %s; do not edit.\n"
             % unicodedata.unidata_version,
             literal("kDecompositions", pack(decompositions())),
             literal("kCombiningClasses", pack(runs(lambda c: unicodedata.combining(chr(c))))),
             literal("kGraphemeKinds", pack(runs(grapheme_kind()))),
             literal("kWidths", pack(widths()))]
    (root / "src/text/unicode_tables.inc").write_text("".join(parts))
    (root / "src/text/html_entities.inc").write_text(parts[0] + literal("kHtmlEntities",
                                                                         entities()))


main()
