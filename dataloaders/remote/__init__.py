"""Sources that are slow to answer and limit how often they may be asked."""

from .aged import Aged
from .asking import asking
from .feed import Delivery, Feed
from .judgement import FAIL, SPLIT, Judgement, Remedy, judge_status
from .loader import RemoteLoader
from .rates import Rate
from .source import RemoteSource
from .subscriptions import Message

__all__ = [
    "FAIL",
    "SPLIT",
    "Aged",
    "Delivery",
    "Feed",
    "Judgement",
    "Message",
    "Rate",
    "Remedy",
    "RemoteLoader",
    "RemoteSource",
    "asking",
    "judge_status",
]
