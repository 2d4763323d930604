"""What loaders were asked, what they asked their sources in turn, and what that took.

Nothing of it runs until an `Observer` watches.
"""

from .batches import BatchRecord, Statement
from .findings import Finding
from .loader_record import LoaderRecord
from .lookups import Lookup
from .observer import Listener, Observer
from .places import Caller, Place
from .record import Record
from .recording import Recording
from .report import report
from .totals import Totals

__all__ = [
    "BatchRecord",
    "Caller",
    "Finding",
    "Listener",
    "LoaderRecord",
    "Lookup",
    "Observer",
    "Place",
    "Record",
    "Recording",
    "Statement",
    "Totals",
    "report",
]
