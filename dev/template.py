"""Just enough CloudFormation to read the template: tags, parameters, conditions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
_NAMED = re.compile(r"\$\{([^}!]+)\}")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms read as their long forms."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Document:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:  # pragma: no cover - YAML has no fourth kind
        raise TypeError(type(node))
    return {name: value}


_Loader.add_multi_constructor("!", _short_form)


def loads(text: str) -> Document:
    """Parse a template, in YAML or JSON."""
    document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader underneath
    if not isinstance(document, dict):
        raise TypeError("a template is a mapping")
    return document


def load(path: Path) -> Document:
    """Parse a template file."""
    return loads(path.read_text())


class Resolver:
    """Resolve parameters and conditions; what depends on other resources stays as it is."""

    def __init__(self, document: Document, parameters: dict[str, str]) -> None:
        declared = document.get("Parameters", {})
        defaults = {
            name: str(body["Default"]) for name, body in declared.items() if "Default" in body
        }
        self._values = {**defaults, **parameters}
        self._conditions: Document = document.get("Conditions", {})

    def resolve(self, value: Any) -> Any:
        """Replace every intrinsic that parameters decide."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value if not self._absent(item)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" and argument in self._values:
                return self._values[argument]
            if name == "Fn::If":
                condition, then, otherwise = argument
                return self.resolve(then if self.condition(condition) else otherwise)
        resolved = {
            key: self.resolve(item) for key, item in value.items() if not self._absent(item)
        }
        return self._text(resolved)

    def _text(self, value: Document) -> Any:
        """The text of Join and Sub where parameters are all it is made of, else the value."""
        match value:
            case {"Fn::Join": [str(between), list(parts)]}:
                if all(isinstance(part, str) for part in parts):
                    return between.join(parts)
            case {"Fn::Sub": str(text)}:
                if set(_NAMED.findall(text)) <= set(self._values):
                    return _NAMED.sub(lambda found: self._values[found[1]], text)
        return value

    def condition(self, name: str) -> bool:
        """The truth of a named condition."""
        return self._truth(self._conditions[name])

    def _absent(self, value: Any) -> bool:
        if not isinstance(value, dict) or set(value) != {"Fn::If"}:
            return False
        condition, then, otherwise = value["Fn::If"]
        chosen = then if self.condition(condition) else otherwise
        return bool(chosen == {"Ref": "AWS::NoValue"})

    def _truth(self, value: Any) -> bool:
        name, argument = next(iter(value.items()))
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = (self.resolve(item) for item in argument)
                return bool(left == right)
            case "Fn::Not":
                return not self._truth(argument[0])
            case "Fn::And":
                return all(self._truth(item) for item in argument)
            case "Fn::Or":
                return any(self._truth(item) for item in argument)
            case _:
                raise ValueError(f"unknown condition function {name}")
