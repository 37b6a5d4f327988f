"""Makes mypy check `replaced`: each keyword must be a field of the model, and its value must have
the field's type.

A mypy plugin, named in `pyproject.toml` next to pydantic's, from which it gets the fields.
"""

from collections.abc import Callable

from mypy.nodes import ARG_NAMED_OPT, ARG_POS, Var
from mypy.plugin import FunctionSigContext, Plugin
from mypy.typeops import map_type_from_supertype
from mypy.types import FunctionLike, Instance, Type, TypeVarType, get_proper_type

REPLACED = "direct311.schemas.model.replaced"


class ReplacedPlugin(Plugin):
    """Gives each call of `replaced` the signature made from the model's fields."""

    def get_function_signature_hook(
        self, fullname: str
    ) -> Callable[[FunctionSigContext], FunctionLike] | None:
        return _with_fields if fullname == REPLACED else None


def _with_fields(context: FunctionSigContext) -> FunctionLike:
    signature = context.default_signature
    if not (context.args and context.args[0]):
        return signature
    fields = _fields(get_proper_type(context.api.get_expression_type(context.args[0][0])))
    return signature.copy_modified(
        arg_types=[signature.arg_types[0], *fields.values()],
        arg_kinds=[ARG_POS, *[ARG_NAMED_OPT] * len(fields)],
        arg_names=[signature.arg_names[0], *fields],
    )


def _fields(of: Type) -> dict[str, Type]:
    """Each field of a model and its type; empty for anything that is not a model."""
    if isinstance(of, TypeVarType):
        of = get_proper_type(of.upper_bound)
    fields: dict[str, Type] = {}
    if isinstance(of, Instance):
        for info in reversed(of.type.mro):
            for name in info.metadata.get("pydantic-mypy-metadata", {}).get("fields", {}):
                found = info.names.get(name)
                if found is not None and isinstance(found.node, Var) and found.node.type:
                    fields[name] = map_type_from_supertype(found.node.type, of.type, info)
    return fields


def plugin(version: str) -> type[Plugin]:
    """The entry point that mypy looks for."""
    return ReplacedPlugin
