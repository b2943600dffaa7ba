"""The ``shouxin`` command. Each subcommand is imported only when it is called, so that those which need no
database start at once.

Exit codes: 0 done, 2 refused by a rule or bad input, 1 our own fault.
"""

import importlib
import sys

import click

from shouxin.pg.binaries import DatabaseUnavailableError
from shouxin.policy.loader import PolicyError

_COMMANDS: dict[str, str] = {
    "demo": "shouxin.web.commands:demo",
    "serve": "shouxin.web.commands:serve",
    "worker": "shouxin.jobs.commands:worker",
    "api-key": "shouxin.web.api_keys:api_key",
    "verify": "shouxin.web.verify_commands:verify",
    "seal": "shouxin.web.verify_commands:seal",
    "backup": "shouxin.web.backup_commands:backup",
    "restore": "shouxin.web.backup_commands:restore",
    "reconcile": "shouxin.web.reconcile_commands:reconcile",
    "cases": "shouxin.web.case_commands:cases",
    "alerts": "shouxin.web.case_commands:alerts",
    "dashboard": "shouxin.web.case_commands:dashboard",
    "credit": "shouxin.web.credit_commands:credit",
    "payroll-groups": "shouxin.web.payroll_commands:payroll_groups",
    "day-end": "shouxin.web.case_commands:day_end",
    "setup": "shouxin.web.commands:setup",
    "manage": "shouxin.web.commands:manage",
    "scenario": "shouxin.reporting.commands:scenario",
    "import": "shouxin.reporting.commands:import_table",
    "convert": "shouxin.intake.convert_commands:convert",
    "identify": "shouxin.groups.commands:identify",
    "check-proofs": "shouxin.groups.commands:check_proofs",
    "what-if": "shouxin.groups.commands:what_if",
    "bench": "shouxin.bench.commands:bench",
}


class LazyGroup(click.Group):
    """A command group that knows its members by name and loads them on demand."""

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        target = _COMMANDS.get(name)
        if target is None:
            return None
        module_name, attribute = target.split(":")
        command: click.Command = getattr(importlib.import_module(module_name), attribute)
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shouxin")
def cli() -> None:
    """Shouxin 授信·守信: customer list, group identification and unified credit lines for a bank."""


def main() -> None:
    """Run the command line; a missing database or interrupted run ends in words, not in a traceback."""
    try:
        cli.main(standalone_mode=True)
    except (DatabaseUnavailableError, PolicyError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
