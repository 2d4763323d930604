"""Sources that are slow to answer and limit how often they may be asked."""

from .aged import Aged
from .asking import asking
from .judgement import FAIL, SPLIT, Judgement, Remedy, judge_status
from .loader import RemoteLoader
from .rates import Rate
from .source import RemoteSource

__all__ = [
    "FAIL",
    "SPLIT",
    "Aged",
    "Judgement",
    "Rate",
    "Remedy",
    "RemoteLoader",
    "RemoteSource",
    "asking",
    "judge_status",
]
