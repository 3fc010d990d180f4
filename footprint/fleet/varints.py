"""Numbers as protocol buffers and Prometheus' blocks write them: seven bits a byte, the lowest first (LEB128).

References
----------
.. [1] protobuf.dev, encoding, "Base 128 varints".
"""

from __future__ import annotations

__all__ = ["read", "written"]

_MORE, _BITS, _MOST_BITS = 0x80, 7, 64
"""The bit that says that a further byte comes; how many of a byte are the number's; how many a number has."""


def read(data: bytes, at: int) -> tuple[int, int]:
    """A number and where what follows it begins.

    Raises
    ------
    ValueError
        When the data ends within it, or it never ends.
    """
    found = shift = 0
    try:
        while (byte := data[at]) >= _MORE:
            found |= (byte & ~_MORE) << shift
            shift, at = shift + _BITS, at + 1
            if shift >= _MOST_BITS:
                raise ValueError("a number never ends")
    except IndexError:
        raise ValueError("the data ends within a number") from None
    return found | byte << shift, at + 1


def written(number: int) -> bytes:
    """A number from nought on."""
    out = bytearray()
    while number >= _MORE:
        out.append(number & ~_MORE & 0xFF | _MORE)
        number >>= _BITS
    out.append(number)
    return bytes(out)
