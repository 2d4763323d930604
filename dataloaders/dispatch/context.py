"""The context variables that a batch function sees, and the batch that asks in it."""

from __future__ import annotations

from contextvars import Context, ContextVar
from typing import TYPE_CHECKING

from dataloaders.batch import MISSING
from dataloaders.errors import RecursiveLoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataloaders.batch import Batch
    from dataloaders.watching import BatchWatch

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
        if all(_same(value, context.get(variable, MISSING)) for context in others):
            common.run(variable.set, value)
    return common


def _same(one: object, other: object) -> bool:
    try:
        return one is other or bool(one == other)
    except Exception:  # noqa: BLE001 - whatever __eq__ raised, they are not known to be the same
        return False


def note_askers(batch: Batch, first: Context, others: Sequence[Context]) -> None:
    """Takes note of the running batches whose functions ask for keys of a batch."""
    for context in (first, *others):
        asker = context.get(running_batch)
        if asker is not None and asker.answers is None:
            asker.awaits.append(batch)
            batch.urgent = True


def batch_watch() -> BatchWatch | None:
    """Returns who watches the batch whose function is running in this context, if anybody does."""
    batch = running_batch.get()
    return None if batch is None else batch.watch


def asking_batch() -> Batch | None:
    """Returns the batch whose function is asking, if this is a batch function's own lookup."""
    batch = running_batch.get()
    # A task or thread that a batch function started may outlive the batch.
    return None if batch is None or batch.answers is not None else batch


def wait_for_pending(loader: str, key: object, asker: Batch | None, pending: Batch) -> None:
    """Takes note that a batch's function is about to wait for a batch that is under way.

    Args:
        loader: The loader's name, for the error.
        key: The key that it waits for.
        asker: The batch whose function asks, if it is one that does.
        pending: The batch that is to answer.

    Raises:
        RecursiveLoadError: `pending` waits for `asker`, so both would wait for ever.
    """
    if asker is None:
        return
    if pending.waits_for(asker):
        raise RecursiveLoadError(loader, key)
    asker.awaits.append(pending)
    pending.urgent = True
    if pending.grant_place is not None:
        pending.grant_place()  # it may wait for the very place that the asker holds
