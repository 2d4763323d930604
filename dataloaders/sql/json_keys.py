"""Keys as the one JSON text that a statement takes."""

from __future__ import annotations

import json
from typing import Final

as_json: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode
"""Returns keys as a JSON list of lists."""
