"""Where somebody comes from, in words for people and in the form in which we remember it."""

from __future__ import annotations

import hashlib
import ipaddress
import re

PLACE_SECONDS = 90 * 86_400  # how long a place is known after a login from there

# The first that matches names the browser: most browsers also claim to be the ones below them.
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/"),
    ("Safari", r"Safari/"),
    ("curl", r"^curl/"),
    ("a program", r"python|httpx|node|axios|go-http|okhttp|java"),
)
_SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("macOS", r"Macintosh|Mac OS X"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux"),
)


def describe(user_agent: str) -> str:
    """`Firefox on Windows`: made of our own words alone, because it is put into mails and logs."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    return " on ".join(part for part in (browser, system) if part) or "an unknown client"


def network(ip: str) -> str:
    """The network that counts as one place: an IPv4 /24 or an IPv6 /48 (RFC 6177: one site)."""
    try:
        address = ipaddress.ip_interface(ip).ip
    except ValueError:
        return "unknown"
    bits = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def place_id(user_id: str, ip: str) -> str:
    """What we keep of a place: enough to know it again, too little to read it."""
    return hashlib.sha256(f"{user_id}\x00{network(ip)}".encode()).hexdigest()[:32]


def _first(known: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, mark in known if re.search(mark, text, re.IGNORECASE)), "")
