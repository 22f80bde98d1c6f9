"""Frozen classes of typed fields, as `dataclass(frozen=True)` makes them, without generated code.

dataclasses writes and compiles the methods of each class when its module is imported. The modules
of one request define 40 to 70 classes, and compiling them took a tenth of a cold start. Here all
classes share their methods. Type checkers and readers find what they know of dataclasses: fields
in order, defaults, `field`, `__post_init__`, inheritance, equality and hash by the fields, and
`copy.replace`. A class that pydantic validates is a dataclass or a model, since it knows no others.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NotImplementedType
from typing import Any, Final, NoReturn, dataclass_transform

_REQUIRED: Final = object()


class _Field:
    """One field's default and whether a `repr` shows its value."""

    def __init__(self, default: Any, factory: Callable[[], Any] | None, shown: bool) -> None:
        self.default = default
        self.factory = factory
        self.shown = shown


class _Layout:
    """The fields of a class, in order."""

    def __init__(self, fields: dict[str, _Field]) -> None:
        self.fields = fields
        self.names = tuple(fields)
        self.shown = [name for name, each in fields.items() if each.shown]
        self.factories = [(name, each.factory) for name, each in fields.items() if each.factory]
        self.defaults = {
            name: each.default for name, each in fields.items() if each.default is not _REQUIRED
        }


def field(
    *,
    default: Any = _REQUIRED,
    default_factory: Callable[[], Any] | None = None,
    repr: bool = True,  # noqa: A002 - as in dataclasses
) -> Any:
    """A field whose default is made anew for each instance, or whose value no `repr` shows."""
    return _Field(default, default_factory, repr)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen[C](cls: type[C]) -> type[C]:
    """A class whose annotated names are its fields, which no instance can change."""
    own = vars(cls)
    fields: dict[str, _Field] = {}
    for base in cls.__bases__:
        fields |= base.__layout__.fields if hasattr(base, "__layout__") else {}
    for name, kind in own.get("__annotations__", {}).items():
        if str(kind).startswith(("ClassVar", "typing.ClassVar")):
            continue
        given = own.get(name, _REQUIRED)
        fields[name] = given if isinstance(given, _Field) else _Field(given, None, shown=True)
        if isinstance(given, _Field):
            delattr(cls, name)
    kept = {name: method for name, method in _METHODS.items() if name not in own}
    for name, value in {**kept, "__layout__": _Layout(fields)}.items():
        setattr(cls, name, value)
    return cls


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    layout: _Layout = self.__layout__
    own = self.__dict__
    own.update(layout.defaults)
    own.update(zip(layout.names, values, strict=False))
    own.update(named)
    for name, factory in layout.factories:
        if name not in own:
            own[name] = factory()
    placed = layout.names[: len(values)]
    if (
        own.keys() != layout.fields.keys()
        or len(placed) < len(values)
        or (placed and not named.keys().isdisjoint(placed))
    ):
        raise TypeError(f"{type(self).__qualname__} takes {', '.join(layout.names)}, each once")
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _values(instance: Any) -> tuple[Any, ...]:
    own = instance.__dict__
    return tuple([own[name] for name in instance.__layout__.names])


def _eq(self: object, other: object) -> bool | NotImplementedType:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    shown = ", ".join([f"{name}={self.__dict__[name]!r}" for name in self.__layout__.shown])
    return f"{type(self).__qualname__}({shown})"


def _replace(self: Any, /, **changes: Any) -> Any:
    return type(self)(**dict(zip(self.__layout__.names, _values(self), strict=True)) | changes)


def _refuse(self: object, name: str, value: object = None) -> NoReturn:
    raise AttributeError(f"{type(self).__qualname__}.{name} cannot change")


_METHODS: Final = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__replace__": _replace,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}
