"""How instances of pydantic models, dataclasses, attrs classes and named tuples are taken apart and put together: what
pickle would keep, without running anybody's constructor or validator."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from .classes import class_path, named_in_bases

MISSING: Any = object()
_set = object.__setattr__
# A project has few classes; one that makes them up as it runs must not fill the memory.
MAX_SHAPES = 4096


class Parts:
    """An instance taken apart: what is shown of it, and what only its revival needs."""

    __slots__ = ("attributes", "fields", "private", "set_names")

    def __init__(
        self,
        fields: dict[str, Any],
        attributes: Mapping[str, Any] = {},
        private: Mapping[str, Any] = {},
        set_names: list[str] | None = None,
    ) -> None:
        self.fields = fields
        # What it holds beside its fields, and its private attributes. What of them has no JSON form is not kept.
        self.attributes = attributes
        self.private = private
        # The fields that were given and not left to their defaults, when those are not all.
        self.set_names = set_names


class Shape:
    """One class, as far as its instances are concerned. Shapes differ in where the instances keep their data."""

    # A model that stands for the value of its only field, `root`.
    is_root = False

    def __init__(self, cls: type, names: list[str]) -> None:
        self.cls = cls
        self.names = names
        self.known = frozenset(names)
        self.name = cls.__name__
        self.path = class_path(cls)

    def take(self, value: Any) -> Parts:
        raise NotImplementedError

    def revive(self, fields: Any, kept: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def default(self, name: str) -> Any:
        """What a field holds that was stored before its class had it; MISSING when there is no telling."""
        return MISSING

    def _own(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields the class has, in its order, which is the order in which they are encoded again."""
        own = {}
        for name in self.names:
            value = fields[name] if name in fields else self.default(name)
            if value is not MISSING:
                own[name] = value
        return own


class PydanticShape(Shape):
    def __init__(self, cls: Any) -> None:
        self._fields = getattr(cls, "__pydantic_fields__", None) or cls.model_fields
        super().__init__(cls, list(self._fields))
        self.is_root = bool(getattr(cls, "__pydantic_root_model__", False))
        self._allows_extra = cls.model_config.get("extra") == "allow"
        if self.path is None:
            # Model[int] is made up at run time; it equals an instance of the class it is made from.
            origin = (getattr(cls, "__pydantic_generic_metadata__", None) or {}).get("origin")
            self.path = class_path(origin) if isinstance(origin, type) else None

    def take(self, value: Any) -> Parts:
        own = value.__dict__
        fields = {name: own[name] for name in self.names if name in own}
        given = value.__pydantic_fields_set__
        extra = value.__pydantic_extra__
        if extra:
            fields.update(extra)
        set_names = None if len(given) >= len(fields) else [name for name in fields if name in given]
        private = {
            name: held
            for name, held in (value.__pydantic_private__ or {}).items()
            if type(held).__name__ != "PydanticUndefinedType"
        }
        return Parts(fields, private=private, set_names=set_names)

    def revive(self, fields: Any, kept: Mapping[str, Any]) -> Any:
        if self.is_root:
            fields = {"root": fields}
        extra = (
            {name: value for name, value in fields.items() if name not in self.known}
            if self._allows_extra
            else None
        )
        private = {}
        for name, attribute in self.cls.__private_attributes__.items():
            value = attribute.get_default()
            if type(value).__name__ != "PydanticUndefinedType":
                private[name] = value
        private.update(kept.get("private") or {})
        model = self.cls.__new__(self.cls)
        _set(model, "__pydantic_fields_set__", set(kept.get("set", fields)))
        if not self.is_root:
            _set(model, "__pydantic_extra__", extra)
            _set(model, "__pydantic_private__", private or None)
        _set(model, "__dict__", self._own(fields))
        return model

    def default(self, name: str) -> Any:
        field = self._fields[name]
        if field.default_factory is not None:
            return _made(field.default_factory)
        undefined = type(field.default).__name__ == "PydanticUndefinedType"
        return MISSING if undefined else _fresh(field.default)


class PydanticV1Shape(Shape):
    def __init__(self, cls: Any) -> None:
        self._fields = cls.__fields__
        super().__init__(cls, list(self._fields))

    def take(self, value: Any) -> Parts:
        own = value.__dict__
        fields = {name: own[name] for name in self.names if name in own}
        fields.update((name, held) for name, held in own.items() if name not in self.known)
        given = value.__fields_set__
        set_names = None if len(given) >= len(fields) else [name for name in fields if name in given]
        private = {
            name: getattr(value, name) for name in type(value).__private_attributes__ if hasattr(value, name)
        }
        return Parts(fields, private=private, set_names=set_names)

    def revive(self, fields: Any, kept: Mapping[str, Any]) -> Any:
        model: Any = self.cls.__new__(self.cls)
        own = self._own(fields)
        if str(getattr(self.cls.__config__, "extra", "")).endswith("allow"):
            own.update((name, value) for name, value in fields.items() if name not in self.known)
        _set(model, "__dict__", own)
        _set(model, "__fields_set__", set(kept.get("set", fields)))
        model._init_private_attributes()
        for name, value in (kept.get("private") or {}).items():
            _set(model, name, value)
        return model

    def default(self, name: str) -> Any:
        field = self._fields[name]
        return MISSING if field.required else field.get_default()


class FieldsShape(Shape):
    """Dataclasses and attrs classes: frozen ones and ones with slots too."""

    def __init__(self, cls: Any) -> None:
        if dataclasses.is_dataclass(cls):
            self._fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(cls)}
        else:
            self._fields = {field.name: field for field in cls.__attrs_attrs__}
        super().__init__(cls, list(self._fields))

    def take(self, value: Any) -> Parts:
        fields = {name: getattr(value, name) for name in self.names if hasattr(value, name)}
        own = getattr(value, "__dict__", {})
        attributes = {name: own[name] for name in own if name not in self.known}
        return Parts(fields, attributes)

    def revive(self, fields: Any, kept: Mapping[str, Any]) -> Any:
        own = self._own(fields)
        value = self._constructed(own) if kept.get("init") else self.cls.__new__(self.cls)
        for name, held in own.items():
            _set(value, name, held)
        for name, held in (kept.get("attributes") or {}).items():
            _set(value, name, held)
        return value

    def _constructed(self, own: dict[str, Any]) -> Any:
        """An instance that made the attributes again that could not be stored."""
        arguments = {
            getattr(field, "alias", None) or name: own[name]
            for name, field in self._fields.items()
            if field.init and name in own
        }
        try:
            return self.cls(**arguments)
        except Exception:
            return self.cls.__new__(self.cls)

    def default(self, name: str) -> Any:
        field = self._fields[name]
        factory = getattr(field, "default_factory", None) or getattr(field.default, "factory", None)
        if callable(factory) and factory is not dataclasses.MISSING:
            return _made(factory)
        unset = field.default is dataclasses.MISSING or type(field.default).__name__ in (
            "_Nothing",
            "Factory",
        )
        return MISSING if unset else field.default


class NamedTupleShape(Shape):
    def __init__(self, cls: Any) -> None:
        super().__init__(cls, list(cls._fields))

    def take(self, value: Any) -> Parts:
        return Parts(dict(zip(self.names, value)))

    def revive(self, fields: Any, kept: Mapping[str, Any]) -> Any:
        own = self._own(fields)
        return tuple.__new__(self.cls, [own.get(name) for name in self.names])

    def default(self, name: str) -> Any:
        return getattr(self.cls, "_field_defaults", {}).get(name, MISSING)


_shapes: dict[type, Shape | None] = {}


def shape_of(cls: type) -> Shape | None:
    """How instances of the class are taken apart; None when it is none of these kinds."""
    if cls not in _shapes:
        if len(_shapes) >= MAX_SHAPES:
            _shapes.clear()
        _shapes[cls] = _make_shape(cls)
    return _shapes[cls]


def _make_shape(cls: Any) -> Shape | None:
    if is_pydantic(cls):
        return PydanticShape(cls) if hasattr(cls, "__pydantic_decorators__") else PydanticV1Shape(cls)
    if dataclasses.is_dataclass(cls) or hasattr(cls, "__attrs_attrs__"):
        return FieldsShape(cls)
    if issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple):
        return NamedTupleShape(cls)
    return None


def is_pydantic(cls: type) -> bool:
    bases = {("pydantic.main", "BaseModel"): True, ("pydantic.v1.main", "BaseModel"): True}
    return bool(named_in_bases(cls, bases))


def _made(factory: Any) -> Any:
    try:
        return factory()
    except Exception:
        # A factory that needs more than nothing: the field stays as absent as it was stored.
        return MISSING


def _fresh(default: Any) -> Any:
    return copy.copy(default) if isinstance(default, (list, dict, set)) else default
