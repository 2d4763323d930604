"""The context variables that a batch function sees, and the batch that asks in it."""

from __future__ import annotations

from contextvars import Context, ContextVar
from typing import TYPE_CHECKING

from dataloaders.batch import MISSING
from dataloaders.errors import RecursiveLoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataloaders.batch import Batch

running_batch: ContextVar[Batch | None] = ContextVar("dataloaders.running_batch", default=None)
"""The batch whose function is running in this context, if any."""


def common_context(first: Context, others: Sequence[Context]) -> Context:
    """Returns a context with the variables on which all callers of a batch agree.

    A batch has many callers. Given the first one's context, its function would answer everyone
    under the first one's user, tenant or trace; given only what they have in common, a variable
    that differs reads as if it were unset.
    """
    if not others:
        return first.copy()
    common = Context()
    for variable, value in first.items():
        if all(context.get(variable, MISSING) is value for context in others):
            common.run(variable.set, value)
    return common


def parents_of(first: Context, others: Sequence[Context]) -> tuple[Batch, ...]:
    """Returns the running batches whose functions the callers are part of."""
    asking = first.get(running_batch)
    if not others:
        return () if asking is None or asking.answers is not None else (asking,)
    batches = {asking, *(context.get(running_batch) for context in others)}
    return tuple(batch for batch in batches if batch is not None and batch.answers is None)


def asking_batch() -> Batch | None:
    """Returns the batch whose function is asking, if this is a batch function's own lookup."""
    batch = running_batch.get()
    # A task or thread that a batch function started may outlive the batch.
    return None if batch is None or batch.answers is not None else batch


def check_recursion(loader: str, key: object, asker: Batch | None, pending: Batch) -> None:
    """Refuses a batch function's lookup of a key that waits for that same function.

    Raises:
        RecursiveLoadError: `pending` and `asker` would wait for each other.
    """
    if asker is not None and asker.waits_for(pending):
        raise RecursiveLoadError(loader, key)
