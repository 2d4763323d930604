"""The forms in which a loader's values are kept: in this process, and as data for others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable


class Form:
    """Keeps values as they are.

    Attributes:
        wire_type: The type of what `to_wire` returns, for those who have to check data.
        record: If set, makes an answer of what is kept where that is not None: called with its
            parts it does what `from_kept` does, and is one call less.
    """

    record: Callable[..., Any] | None = None

    def __init__(self, wire_type: Any) -> None:  # noqa: ANN401 - a type, or what stands for one
        self.wire_type = wire_type

    def to_kept(self, answer: Any) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns the form for this process, in which no caller can change it."""
        return answer

    def from_kept(self, kept: Any) -> Any:  # noqa: ANN401 - as above
        """Returns an answer of a caller's own."""
        return kept

    def to_wire(self, key: Any, answer: Any) -> Any:  # noqa: ANN401, ARG002 - as above
        """Returns the form for other processes: data, None for what there is not.

        MISSING is for what they are not to be told.
        """
        return answer

    def from_wire(self, key: Any, wire: Any) -> Any:  # noqa: ANN401, ARG002 - as above
        """Returns an answer of a caller's own."""
        return wire

    def whole(self, key: Hashable, answer: Any) -> Iterable[tuple[Hashable, Any]]:  # noqa: ANN401 - as above
        """Returns what an answer says of single keys, each with its own answer."""
        return ((key, answer),)

    def is_nothing(self, answer: Any) -> bool:  # noqa: ANN401 - as above
        """Whether an answer says that the source has nothing for its key."""
        return answer is None

    def implied(self, found: dict[Any, Any], keys: list[Any]) -> dict[Any, Any]:  # noqa: ARG002 - for those with parts
        """Returns answers to keys that need not be asked for, because of others that were found."""
        return {}

    def without_answer(self, key: Any) -> Any:  # noqa: ANN401, ARG002 - as above
        """Returns the answer to a key about which nothing can be said for now."""
        return None
