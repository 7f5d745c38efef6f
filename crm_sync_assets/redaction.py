"""Secrets and personal values out of what is said: log lines, messages, errors."""

from __future__ import annotations

import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from functools import cache

PACKAGE = "crm_sync_assets"
HIDDEN = "***"
MIN_SECRET = 4
"""A shorter secret is not searched for: it would blot out half of every line."""

# A name's value follows = or :, up to the closing quote or the end of the word. In JSON that is
# quoted itself, the backslash before a quote stays.
_IS = r"""\\*["']?\s*[:=]\s*(?:\\*b?["'])?"""
_VALUE = r"""(?P<hide>(?<=")(?:[^"\\\n]|\\+[^"\\\n])+|(?:[^\s"'&,;}\])\\]|\\+[^\s"'&,;}\])\\])+)"""
_LOOKS_SECRET = (
    # Authorization: Bearer x, 'X-Api-Key': 'x', sslpassword=x, "refresh_token": "x"
    re.compile(
        rf"""(?ix)
        (?P<keep>
          (?: (?<![a-z]) (?: (?:proxy-)?authorization | x-api-key | x-auth-(?:key|token)
              | api[_-]?key | (?:api|access|refresh|id|auth|session|csrf)[_-]?token
              | client[_-]?secret | secret[_-]?(?:access[_-]?)?key | private[_-]?key | pwd )
            | passw(?:or)?d )
          {_IS} (?: (?:bearer|basic|token|digest) \s+ )?
        )
        {_VALUE}
        """
    ),
    # "token": "x"; without its quotes it may be a word in a sentence
    re.compile(rf"""(?i)(?P<keep>\b(?:token|secret|jwt)\\*["']\s*:\s*\\*["']){_VALUE}"""),
    # Cookie: a=x; b=y
    re.compile(
        rf"""(?ix) (?P<keep> \b(?:set-)?cookie {_IS} )
        (?P<hide> [^\s"'\\;,]+ (?: ;\s* [^\s"'\\;,=]+ = [^\s"'\\;,]* )* )"""
    ),
    # ?token=x, &my_key=x, &X-Amz-Signature=x
    re.compile(
        r"""(?ix) (?P<keep> [?&] (?:[a-z_-]+[_-])?
          (?:token|secret|key|sig|signature|auth|jwt|sid) = )
        (?P<hide> [^&\#\s"'<>\\]+ )"""
    ),
    # The password in a database's URL may hold anything, slashes too.
    re.compile(
        r"""(?ix) (?P<keep> \b(?:postgres|mysql|mariadb|redis|mongodb)[a-z0-9+]*://[^\s/:@'"]*: )
        (?P<hide> [^\s'"]+ ) (?=@)"""
    ),
    re.compile(r"(?i)(?P<keep>\bbearer\s+)(?P<hide>[A-Za-z0-9._~+/=!-]{8,})"),
    re.compile(r"(?P<keep>[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@'\"]*:)(?P<hide>[^\s/'\"]+)(?=@)"),
    re.compile(r"(?P<keep>)(?P<hide>\bpat-[a-z]{2}\d-[0-9A-Za-z-]{8,})"),
    re.compile(r"(?P<keep>)(?P<hide>\b(?:gh[pousr]_|github_pat_)[0-9A-Za-z_]{16,})"),
    re.compile(r"(?P<keep>)(?P<hide>\b00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{16,})"),
    re.compile(r"(?P<keep>)(?P<hide>\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
)
CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

_known: dict[str, tuple[str, ...]] = {}
"""Of each secret, words of which one is in every text that tells it, in any spelling.

Replaced as a whole, never changed: other threads read it.
"""
_lock = threading.Lock()


def register_secret(value: str | None) -> None:
    """Keep this value out of every later line, however it is quoted, escaped or encoded there."""
    global _known
    if not value:
        return
    wanted = {value} | {line.strip() for line in value.splitlines() if len(line.strip()) >= 16}
    new = {one: _marks(one) for one in wanted if len(one) >= MIN_SECRET and one not in _known}
    if new:
        with _lock:
            _known = {**_known, **new}


def redact(text: str) -> str:
    """The text without registered secrets and without what looks like one."""
    folded = _folded(text)
    told = [one for one, marks in _known.items() if any(mark in folded for mark in marks)]
    spans = sorted(span for one in told for span in _found(_spellings(one), text))
    if spans:
        # Secrets may overlap: what is left of one must not tell the rest of another.
        kept, at = [], 0
        for start, end in spans:
            if start >= at:
                kept += [text[at:start], HIDDEN]
            at = max(at, end)
        text = "".join([*kept, text[at:]])
    for pattern in _LOOKS_SECRET:
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    match = pattern.search(text)
    while match:
        yield match.span()
        match = pattern.search(text, match.start() + 1)


_BLANK = re.compile("[\\s\x00-\x1f\x7f-\x9f]+")
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0"}
_BASE64_CHARACTERS = 8
"""A shorter piece of Base64 may be part of any word."""


_WORD = re.compile("[0-9A-Za-z]+")
_LIKE_I = str.maketrans("\u0130\u0131", "ii")
"""What counts as an i where case does not, beside those that folding knows."""


def _folded(text: str) -> str:
    return text.translate(_LIKE_I).casefold()


def _marks(value: str) -> tuple[str, ...]:
    """The longest word of a secret, and of each piece of its Base64: plain in any spelling."""
    words = (_WORD.findall(one) for one in (value, *_base64_pieces(value)))
    return tuple(_folded(max(some, key=len, default="")) for some in words)


@cache
def _spellings(value: str) -> re.Pattern[str]:
    """Finds a secret as it is, in a URL, escaped (more than once), as HTML or Base64 has it.

    Of a long one this takes a while to make: it is made for texts that may tell the secret.
    """
    core = _BLANK.sub("", value)
    if len(core) < MIN_SECRET:
        # Nearly all of it is blank: only as many blanks as it has may count as the secret.
        raw = "".join(f"(?:{_ways(one)})" for one in value)
    else:
        words = [word for word in _BLANK.split(value) if word]
        # Lines are cut, wrapped and squeezed.
        blank = "(?:" + "|".join(sorted({_ways(c) for c in value if _BLANK.match(c)})) + r"|\s)+"
        raw = blank.join("".join(f"(?:{_ways(one)})" for one in word) for word in words)
    pieces = (re.escape(piece) for piece in _base64_pieces(value))
    either = (piece.replace(r"\+", "[+-]").replace("/", "[/_]") for piece in pieces)
    return re.compile("|".join([raw, *either]), re.IGNORECASE)


def _ways(character: str) -> str:
    """A regular expression for the ways to write one character."""
    literal = re.escape(character)
    if character.isascii() and character.isalnum():
        return literal
    code, octets = ord(character), character.encode("utf-8", "surrogatepass")
    utf16 = character.encode("utf-16-be", "surrogatepass").hex()
    ways = [
        r"\\+" if character == "\\" else r"\\*" + literal,
        "".join(f"%(?:25)*{octet:02x}" for octet in octets),
        "".join(r"\\+u" + utf16[at : at + 4] for at in range(0, len(utf16), 4)),
        "".join(rf"\\+x{octet:02x}" for octet in octets),
        rf"\\+U{code:08x}",
        rf"&(?:amp;)*#(?:0*{code}|x0*{code:x});",
    ]
    if code <= 0xFF:
        ways.append(rf"\\+x{code:02x}")
    if not character.isascii():
        # As Latin-1 reads UTF-8; with another number of letters in the other case.
        ways.append(re.escape(octets.decode("latin-1")))
        ways += [re.escape(character.upper()), re.escape(character.lower())]
    if character in _ENTITIES:
        ways.append(f"&(?:amp;)*{_ENTITIES[character]};")
    if character in _ESCAPES:
        ways.append(r"\\+" + _ESCAPES[character])
    if character in " +":
        ways.append("[ +]")
    return "|".join(ways)


def _base64_pieces(value: str) -> Iterator[str]:
    """What is the same of its Base64 whatever stands before and after it (Basic auth)."""
    octets = value.encode("utf-8", "surrogatepass")
    for before in range(3):
        text = b64encode(b"\0" * before + octets).decode()
        piece = text[-(-8 * before // 6) : 8 * (before + len(octets)) // 6]
        if len(piece) >= _BASE64_CHARACTERS:
            yield piece


def one_line(text: str) -> str:
    """The text with control characters, line ends and ANSI escapes made visible."""
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def mask(value: object, kind: str = "") -> str:
    """A personal value as a log may show it: a***@e***.com, ***47, J***."""
    text = str(value)
    if not text:
        return ""
    if kind == "email":
        local, at, domain = text.rpartition("@")
        if at and local and domain:
            name, dot, end = domain.rpartition(".")
            return one_line(f"{local[0]}***@{(name or domain)[0]}***{dot}{end if dot else ''}")
    if kind == "phone":
        digits = [character for character in text if character.isdigit()]
        return "***" + ("".join(digits[-2:]) if len(digits) > 4 else "")
    return one_line(f"{text[0]}***") if len(text) > 1 else "***"
