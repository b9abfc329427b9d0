"""Frozen, keyword-only, slotted values that cost next to nothing to declare.

`dataclasses` writes and compiles six methods for every class, and loads `inspect` to do it: for the layers of this
room that is more than an empty Python's whole start. A `@value` class shares one set of methods, and answers
`dataclasses.fields`, `replace` and `asdict` all the same: what those ask for is made when they ask.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar, dataclass_transform

Kind = TypeVar("Kind", bound=type)
Same = TypeVar("Same", bound="Value")

NEEDED = object()
"""In place of a default where there is none."""


class _DataclassFields:
    """`dataclasses.Field` objects of a value's class, made when they are first asked for."""

    def __init__(self) -> None:
        self.made: dict[type, dict[str, Any]] = {}

    def __get__(self, instance: object, owner: type[Value]) -> dict[str, Any]:
        if owner not in self.made:
            import dataclasses

            declared = [
                (name, Any) if default is NEEDED else (name, Any, dataclasses.field(default=default))
                for name, default in owner.FIELDS.items()
            ]
            twin: Any = dataclasses.make_dataclass(owner.__name__, declared, kw_only=True)
            self.made[owner] = twin.__dataclass_fields__
        return self.made[owner]


class Value:
    """What `@value` classes inherit: equal by type and fields, hashable, never changed."""

    __slots__ = ()
    FIELDS: ClassVar[dict[str, Any]] = {}
    """Every field and its default, or NEEDED."""
    held: ClassVar[Any] = staticmethod(type)
    """Gives what all fields of a value hold."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Any]]
    else:
        __dataclass_fields__ = _DataclassFields()

    def __init__(self, **given: Any) -> None:
        kind = type(self)
        for name, default in kind.FIELDS.items():
            value = given.pop(name, default)
            if value is NEEDED:
                raise TypeError(f"{kind.__name__} needs {name}")
            object.__setattr__(self, name, value)
        if given:
            raise TypeError(f"{kind.__name__} has no {', '.join(given)}; it has {', '.join(kind.FIELDS)}")
        self.check()

    def check(self) -> None:
        """Raise where the fields cannot be so."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is never changed; make another with `replace`")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is never changed")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        held = type(self).held
        return bool(held(self) == held(other))

    def __hash__(self) -> int:
        kind = type(self)
        return hash((kind, kind.held(self)))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self).FIELDS)
        return f"{type(self).__name__}({said})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), {name: getattr(self, name) for name in type(self).FIELDS})


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(declared: Kind) -> Kind:
    """The class with its annotations as fields; it must inherit from `Value`."""
    names = tuple(declared.__annotations__)
    body = {name: held for name, held in vars(declared).items() if name not in ("__dict__", "__weakref__")}
    body["FIELDS"] = {name: body.pop(name, NEEDED) for name in names}
    body["__slots__"] = names
    body["held"] = staticmethod(attrgetter(*names) if names else type)
    made: Any = type(declared)(declared.__name__, declared.__bases__, body)
    made.__qualname__ = declared.__qualname__
    return made


def replace(old: Same, **changes: Any) -> Same:
    """Another value with some fields changed; raises TypeError for a field that does not exist."""
    kind = type(old)
    return kind(**{name: getattr(old, name) for name in kind.FIELDS} | changes)


def _again(kind: type[Value], fields: dict[str, Any]) -> Value:
    return kind(**fields)
