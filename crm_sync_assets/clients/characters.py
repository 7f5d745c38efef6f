"""Characters that XML 1.0 does not have, taken out of a document as it arrives.

Servers write what their users pasted: control characters as they are, or as references like
`&#x1F;`. One of them makes a document unreadable, and the records around it with it. They alone are
taken out; all else stays as it was sent.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

ENCODINGS: Final = ("utf-8", "us-ascii", "iso-8859-1", "windows-1252")
"""Those that a document may declare."""
LONGEST_DECLARATION: Final = 1_024
"""Bytes that are looked at for it."""

_DECLARED = re.compile(rb"\s*<\?xml\s[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NO_TEXT = re.compile("[\udc80-\udcff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]+)|([0-9]+));")
# In these a reference is no reference, but text.
_SECTIONS: Final = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_SECTION = re.compile("|".join(map(re.escape, _SECTIONS)))
_UNFINISHED = re.compile(r"(?:<[!\[CDAT-]*|&(?:#(?:x[0-9a-fA-F]*|[0-9]*)?)?)\Z")


class UnknownEncoding(ValueError):
    """The document says that it is in an encoding that is not read here."""


@dataclass(slots=True)
class Repairs:
    """How many characters were taken out, or were no characters and became U+FFFD."""

    number: int = 0


def legal(chunks: Iterable[bytes], repairs: Repairs) -> Iterator[str]:
    """The document's text without what XML does not have, wherever the chunks are cut.

    Read as it declares itself to be encoded, UTF-8 where it does not. Raises UnknownEncoding.
    """
    left = iter(chunks)
    head = b""
    for chunk in left:
        head += chunk
        if not _may_declare_more(head):
            break
    decoder = codecs.getincrementaldecoder(_encoding(head))(errors="surrogateescape")
    mender = _Mender(repairs)
    for chunk in chain([head], left):
        yield mender.mend(decoder.decode(chunk))
    yield mender.mend(decoder.decode(b"", final=True), final=True)


def _may_declare_more(head: bytes) -> bool:
    """Whether what is still to come may be a part of the declaration, of which this is the head."""
    begun = head.removeprefix(codecs.BOM_UTF8).lstrip()
    is_one = begun.startswith(b"<?xml") or b"<?xml".startswith(begun)
    return is_one and b"?>" not in begun and len(head) < LONGEST_DECLARATION


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        raise UnknownEncoding("it is in UTF-16, which is not read here")
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    name = declared[1].decode().lower() if declared else "utf-8"
    if name not in ENCODINGS:
        raise UnknownEncoding(f"it is in {name}, which is not read here")
    # Each of them agrees with UTF-8 on ASCII; only of UTF-8 there may be a mark at the beginning.
    return "utf-8-sig" if name == "utf-8" else name


class _Mender:
    def __init__(self, repairs: Repairs) -> None:
        self._repairs = repairs
        self._held = ""
        self._until: str | None = None

    def mend(self, text: str, *, final: bool = False) -> str:
        """What can be told by now; the beginning of a section or reference waits for its end."""
        text = self._held + self._without_illegal(text)
        self._held = ""
        done: list[str] = []
        place = 0
        while place < len(text):
            if self._until is not None:
                end = text.find(self._until, place)
                if end < 0:
                    # Its last characters may be the first of what ends it.
                    end = len(text) if final else max(len(text) - len(self._until) + 1, place)
                    self._held = text[end:]
                    done.append(text[place:end])
                    break
                end += len(self._until)
                done.append(text[place:end])
                place, self._until = end, None
                continue
            section = _SECTION.search(text, place)
            end = section.start() if section else len(text)
            if section is None and not final and (tail := _UNFINISHED.search(text, place)):
                end = tail.start()
                self._held = text[end:]
            done.append(_REFERENCE.sub(self._kept, text[place:end]))
            if section is None:
                break
            done.append(section[0])
            place, self._until = section.end(), _SECTIONS[section[0]]
        return "".join(done)

    def _without_illegal(self, text: str) -> str:
        text, undecodable = _NO_TEXT.subn("\ufffd", text)
        text, illegal = _ILLEGAL.subn("", text)
        self._repairs.number += undecodable + illegal
        return text

    def _kept(self, reference: re.Match[str]) -> str:
        """The reference, or nothing in place of an illegal one."""
        in_hex, in_ten = reference.groups()
        # More digits than any character has are as illegal as the number they make.
        digits = (in_hex or in_ten).lstrip("0") or "0"
        number = int(digits[:8], 16 if in_hex else 10)
        if _is_legal(number):
            return reference[0]
        self._repairs.number += 1
        return ""


def _is_legal(number: int) -> bool:
    """Whether XML 1.0 has a character of this number."""
    return (
        number in (0x9, 0xA, 0xD)
        or 0x20 <= number <= 0xD7FF
        or 0xE000 <= number <= 0xFFFD
        or 0x10000 <= number <= 0x10FFFF
    )
