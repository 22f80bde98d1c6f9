"""Logs Insights queries of the template, read far enough to know which fields they name."""

from __future__ import annotations

import json
import re

from tests.support import aws

QUERIES = {
    name: each["Properties"]
    for name, each in aws.DOCUMENT["Resources"].items()
    if each["Type"] == "AWS::Logs::QueryDefinition"
}
OF_GATEWAY = {
    name for name, each in QUERIES.items() if each["LogGroupNames"] == [{"Ref": "ApiLogs"}]
}
_WORDS = {"fields", "filter", "stats", "sort", "limit", "by", "as", "in", "like", "desc", "bin"}
_WORDS |= {"and", "or", "not"}
_FUNCTIONS = {"count", "count_distinct", "pct", "max", "min", "sum", "avg"}
# Of Lambda and of Logs Insights itself.
SYSTEM = {"@timestamp", "@type", "@duration", "@maxMemoryUsed", "@log"}


def messages(query: str) -> set[str]:
    """The messages that a query filters by."""
    found = re.search(r'message (?:= ("[^"]+")|in (\[[^\]]+\]))', QUERIES[query]["QueryString"])
    if found is None:
        return set()
    return {json.loads(found[1])} if found[1] else set(json.loads(found[2]))


def fields(query: str) -> set[str]:
    """The fields of log lines that a query names."""
    text = re.sub(r'"[^"]*"|/[^/\n]+/|\b\d+h?\b', " ", QUERIES[query]["QueryString"])
    aliases = set(re.findall(r"\bas (\w+)", text))
    return set(re.findall(r"@?[a-z]\w*", text, re.IGNORECASE)) - _WORDS - _FUNCTIONS - aliases
