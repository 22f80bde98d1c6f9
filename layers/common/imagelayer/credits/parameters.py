"""Query parameters of the usage report."""

from __future__ import annotations

from imagelayer.api.query import Parameter

GROUPS = ("day", "key", "model", "brand", "end_user", "mode")
MAX_DAYS = 92

_GROUP = "|".join(GROUPS)
_DATE = {"type": "string", "format": "date", "examples": ["2026-01-31"]}

START = Parameter("start", "The first day, UTC. By default, the first of this month.", _DATE)
END = Parameter(
    "end",
    f"The last day, UTC: `start` or up to {MAX_DAYS - 1} days after it. By default, today.",
    _DATE,
)
GROUP_BY = Parameter(
    "group_by",
    f"What the rows are grouped by, comma-separated: any of {', '.join(GROUPS)}.",
    {
        "type": "string",
        "pattern": f"^({_GROUP})(,({_GROUP}))*$",
        "default": "day",
        "examples": ["day,model"],
    },
    f"a comma-separated list of {', '.join(GROUPS)}",
)
