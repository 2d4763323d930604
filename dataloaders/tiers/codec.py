"""Values and keys as bytes, for other processes.

What comes back is checked against its type, since anybody may write to a server. Nothing is ever
unpickled: whoever could write a pickle could run code here.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, Final

import msgspec

FORMAT: Final = 1
"""Changed when the bytes of a value are to be read in another way."""


class PoisonedValueError(ValueError):
    """Bytes that are no value of the expected type."""


class Codec:
    """Encodes the values of one type.

    Args:
        value_type: The type of all values, as msgspec takes it.

    Attributes:
        fingerprint: A short text that differs between types. It is part of keys, so that two
            releases of an application can share a server and do not read each other's values.
    """

    def __init__(self, value_type: Any) -> None:  # noqa: ANN401 - a type, or what stands for one
        self._decoder = msgspec.msgpack.Decoder(value_type)
        described = f"{FORMAT} {value_type!r}"
        self.fingerprint = hashlib.blake2b(described.encode(), digest_size=6).hexdigest()

    def encode(self, value: Any) -> bytes:  # noqa: ANN401 - a value of the type
        """Returns a value as bytes.

        Raises:
            TypeError: It is of a type that has no form as data.
        """
        return _encoder.encode(value)

    def decode(self, data: bytes) -> Any:  # noqa: ANN401 - a value of the type
        """Returns the value of bytes.

        Raises:
            PoisonedValueError: They are not exactly a value of the type.
        """
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise PoisonedValueError(str(error)) from error


@cache
def codec_of(value_type: Any) -> Codec:  # noqa: ANN401 - a type, or what stands for one
    """Returns the codec of a type, made at the first call."""
    return Codec(value_type)


def encoded_key(key: Any) -> bytes:  # noqa: ANN401 - a key is whatever the application uses
    """Returns a key as bytes; no two keys of a loader have the same.

    Raises:
        TypeError: It is of a type that has no form as data.
    """
    return _encoder.encode(key)


_encoder: Final = msgspec.msgpack.Encoder()
