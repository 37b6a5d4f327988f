"""An import-linter contract that lists what may be imported, and forbids everything else.

import-linter's own ``forbidden`` contract needs the name of every unwanted package, so a dependency
added next year would slip through it. A domain may use the standard library and the schemas, and
that is a short list.
"""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules


class OnlyContract(Contract):
    """Modules may import only the standard library, their own package and ``allowed_modules``.

    Options: ``source_modules`` and ``allowed_modules``, module expressions; a source stands for
    its whole package. Only direct imports count: an allowed module may import what it needs.
    """

    type_name = "only"

    source_modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed_modules = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        allowed = [module.name for module in self.allowed_modules]  # type: ignore[attr-defined]
        unwanted: list[tuple[str, str]] = []
        for source in module_expressions_to_modules(graph, self.source_modules):  # type: ignore[arg-type]
            for importer in {source.name, *graph.find_descendants(source.name)}:
                unwanted += [
                    (importer, imported)
                    for imported in graph.find_modules_directly_imported_by(importer)
                    if imported.split(".")[0] not in sys.stdlib_module_names
                    and not _within(imported, [source.name, *allowed])
                ]
        return ContractCheck(kept=not unwanted, metadata={"unwanted": sorted(unwanted)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["unwanted"]:
            output.print_error(f"{importer} imports {imported}", bold=False)


def _within(module: str, packages: list[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
