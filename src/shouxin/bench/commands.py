"""``shouxin bench limits|groups|list|import``: each benchmark is a module here that is loaded when it is called."""

import importlib
import importlib.util

import click

_BENCHES = {
    "groups": "shouxin.bench.groups:groups",
    "limits": "shouxin.bench.limits:limits",
    "list": "shouxin.bench.customer_list:customer_list",
    "import": "shouxin.bench.customer_import:customer_import",
}


class _Benches(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002
        return [name for name, target in _BENCHES.items() if importlib.util.find_spec(target.partition(":")[0])]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        module, _, attribute = _BENCHES[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.command(cls=_Benches)
def bench() -> None:
    """Measure a part of the system beside its peers; ``--json`` gives {bench, correct, rows}, ratio > 1 is faster."""
