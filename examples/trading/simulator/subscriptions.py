"""What one connection is subscribed to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from .packets import MODES

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKENS_PER_MESSAGE: Final = 200
TOKENS_PER_CONNECTION: Final = 3_000
_MODE_AT_FIRST = "quote"


class MessageError(Exception):
    """A message that changes nothing."""


class Message(NamedTuple):
    """What a client asks for: `subscribe`, `unsubscribe` or `mode`, and then which mode."""

    action: str
    tokens: list[int]
    mode: str = ""


def message_of(text: str) -> Message:
    """Reads `{"a": action, "v": tokens}`, with `[mode, tokens]` in place of the tokens for a mode.

    Raises:
        MessageError: It is no such message.
    """
    try:
        document = json.loads(text)
        action, value = document["a"], document["v"]
        mode = ""
        if action == "mode":
            mode, value = value
    except (ValueError, LookupError, TypeError) as error:
        raise MessageError(f"Expected a message with `a` and `v`, got {error!r}.") from None
    if action not in ("subscribe", "unsubscribe", "mode"):
        raise MessageError(f"Expected subscribe, unsubscribe or mode, got {action!r}.")
    if action == "mode" and mode not in MODES:
        raise MessageError(f"Expected one of {', '.join(MODES)}, got {mode!r}.")
    if not isinstance(value, list) or not all(type(token) is int for token in value):
        raise MessageError(f"Expected a list of tokens, which are integers, got {value!r}.")
    return Message(action, value, mode)


class Subscriptions:
    """The tokens of a connection and their modes.

    Args:
        tokens_per_message: How many a message may have.
    """

    def __init__(self, tokens_per_message: int) -> None:
        self._tokens_per_message = tokens_per_message
        self.modes: dict[int, str] = {}

    def apply(self, message: Message) -> None:
        """Does what a message asks for, all of it or nothing.

        Raises:
            MessageError: It asks for too much, or for the mode of what is not subscribed.
        """
        tokens = message.tokens
        if len(tokens) > self._tokens_per_message:
            raise MessageError(
                f"Expected at most {self._tokens_per_message} tokens in a message,"
                f" got {len(tokens)}."
            )
        if message.action == "subscribe":
            self._subscribe(tokens)
        elif message.action == "unsubscribe":
            for token in tokens:
                self.modes.pop(token, None)
        else:
            self._set_mode(message.mode, tokens)

    def _subscribe(self, tokens: Sequence[int]) -> None:
        modes = dict.fromkeys(tokens, _MODE_AT_FIRST) | self.modes
        if len(modes) > TOKENS_PER_CONNECTION:
            raise MessageError(
                f"Expected at most {TOKENS_PER_CONNECTION} tokens on a connection,"
                f" got {len(modes)}."
            )
        self.modes = modes

    def _set_mode(self, mode: str, tokens: Sequence[int]) -> None:
        others = [token for token in tokens if token not in self.modes]
        if others:
            raise MessageError(f"Expected tokens that are subscribed, got {others[0]}.")
        self.modes.update(dict.fromkeys(tokens, mode))
