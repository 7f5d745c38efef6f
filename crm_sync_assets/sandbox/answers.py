"""What a list answers: JSON, pages, and how each page leads to the next."""

import json

import msgspec

_encode = msgspec.json.Encoder().encode


def text(value: object) -> str:
    """JSON of a value; lone surrogates, which no strict encoder takes, come escaped."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value)
