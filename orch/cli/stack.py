"""`orch plan`, `apply`, `scale`, `rm`: what is wanted, and making it so."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from orch.cli.fleet import load_fleet, open_pool, run_async
from orch.cli.output import note, on_terminal, print_json, warn
from orch.cli.progress import Progress
from orch.cli.report import report_applied, report_plan
from orch.cli.settings import Settings, current_settings, settings_options
from orch.controllers.changes import spec_changes
from orch.errors import RefusedError, UsageError
from orch.model.container import VolumeMount
from orch.model.spec import ServiceSpec, StackSpec
from orch.stackfile.compose import MAX_REPLICAS, StackFile, read_stack
from orch.store.protocol import Changes, Key

if TYPE_CHECKING:
    from orch.api.operations import Operations

F = TypeVar("F", bound=Callable[..., Any])
_TARGET = re.compile(r"([^/=]+)/([^/=]+)=(\d{1,6})")

_FILE = click.Path(path_type=Path, dir_okay=False)
_STACK_OPTIONS = (
    click.option(
        "-f",
        "--file",
        "files",
        required=True,
        multiple=True,
        metavar="FILE",
        type=_FILE,
        help="The Compose file; when given again, a file that changes what those before it say.",
    ),
    click.option("--stack", metavar="NAME", help="Call the stack so, whatever the file says."),
    click.option(
        "--profile", "profiles", multiple=True, metavar="NAME", help="Take services of this profile too; * for all."
    ),
    click.option(
        "--env-file",
        "env_files",
        multiple=True,
        metavar="FILE",
        type=_FILE,
        help="Variables for the Compose file, instead of .env beside it.",
    ),
)
_prune_option = click.option("--prune", is_flag=True, help="Remove services of the stack that FILE does not have.")
_wait_option = click.option(
    "--wait/--no-wait",
    default=True,
    help="Wait until what was started has kept running, or its healthcheck has passed; or be done when it is started.",
)
_wait_timeout_option = click.option(
    "--wait-timeout",
    type=click.FloatRange(min=1),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for that at most.",
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Only print the plan; with -v the commands too.")


def _stack_options(command: F) -> F:
    """What names a stack's files, and how they are read; see `_read`."""
    for option in reversed(_STACK_OPTIONS):
        command = option(command)
    return command


@click.command("plan")
@_stack_options
@_prune_option
@click.option("--config", is_flag=True, help="Only print what the files say, merged and completed.")
@settings_options
def plan_command(prune: bool, config: bool, **files: Any) -> int:
    """What `apply` would change: all of it, and by the same code.

    Of services whose specification changes it names the keys that differ.

    Exit status 0: nothing to do; 10: changes; 4: something cannot be as wanted; 3: nothing to do, but replicas on hosts
    that do not answer are left alone.
    """
    settings = current_settings()
    stack_file = _read(settings, **files)
    if config:
        return _print_config(settings, stack_file)
    spec = stack_file.spec
    return run_async(_change(settings, lambda engine: _put(settings, engine, spec, prune), [spec.name], dry_run=True))


@click.command("apply")
@_stack_options
@_prune_option
@_dry_run_option
@_wait_option
@_wait_timeout_option
@settings_options
def apply_command(prune: bool, dry_run: bool, wait: bool, wait_timeout: float, **files: Any) -> int:
    """Make the services of a Compose file run, and wait until they do or say why they do not.

    Applying twice changes nothing. Exit status 1: something failed; 3: only some of it, or replicas on hosts that do
    not answer were left alone; 4: something was refused.
    """
    settings = current_settings()
    spec = _read(settings, **files).spec
    return run_async(
        _change(
            settings,
            lambda engine: _put(settings, engine, spec, prune),
            [spec.name],
            dry_run=dry_run,
            wait_seconds=wait_timeout if wait else 0,
        )
    )


@click.command("scale")
@click.argument("targets", nargs=-1, required=True, metavar="STACK/SERVICE=N...")
@_dry_run_option
@_wait_option
@_wait_timeout_option
@settings_options
def scale_command(targets: tuple[str, ...], dry_run: bool, wait: bool, wait_timeout: float) -> int:
    """Change how many replicas services have, until the next apply says otherwise."""
    wanted = dict(_read_target(target) for target in targets)
    if len(wanted) < len(targets):
        raise UsageError("scale names a service twice")
    stacks = sorted({stack for stack, _ in wanted})
    decide = partial(_scaled, wanted=wanted)
    patience = wait_timeout if wait else 0
    return run_async(_change(current_settings(), decide, stacks, dry_run=dry_run, wait_seconds=patience))


@click.command("rm")
@click.argument("stacks", nargs=-1, required=True, metavar="STACK...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--volumes", is_flag=True, help="Remove the volumes that orch made for them, too.")
@_dry_run_option
@settings_options
def rm_command(stacks: tuple[str, ...], yes: bool, volumes: bool, dry_run: bool) -> int:
    """Remove stacks and all their containers. Their volumes stay where they are, unless told otherwise."""
    if not (yes or dry_run):
        what = "all their containers" + (" and volumes" if volumes else "")
        if not on_terminal():
            raise UsageError(f"rm removes {what.removeprefix('all their ')} and nobody can be asked here; add --yes")
        if not click.confirm(f"Remove {', '.join(stacks)} and {what}?", err=True):
            raise RefusedError("nothing was removed")
    removed = _change(
        current_settings(), lambda engine: _removed(engine, stacks), stacks, dry_run=dry_run, volumes=volumes
    )
    return run_async(removed)


def _read(
    settings: Settings,
    files: Sequence[Path],
    stack: str | None,
    profiles: Sequence[str],
    env_files: Sequence[Path],
) -> StackFile:
    """The stack as its files have it; what they have and orch does not act on is said on standard error."""
    found = read_stack(files, name=stack, variables=os.environ, profiles=profiles, env_files=env_files)
    if not settings.quiet:
        for warning in found.warnings:
            warn(str(warning))
    return found


def _print_config(settings: Settings, stack_file: StackFile) -> int:
    from orch.stackfile.render import render_stack, stack_document

    match settings.output:
        case "table" | "yaml":
            click.echo(render_stack(stack_file), nl=False)
        case "json":
            print_json(stack_document(stack_file))
        case _:
            raise UsageError("--config prints as YAML or -o json")
    return 0


async def _change(
    settings: Settings,
    decide: Callable[[Operations], Changes],
    stacks: Sequence[str],
    *,
    dry_run: bool,
    wait_seconds: float = 0,
    volumes: bool = False,
) -> int:
    from orch.api.operations import operations

    if settings.output not in {"table", "json"}:
        raise UsageError("plans and changes print as text or -o json")
    fleet = load_fleet(settings)
    async with operations(fleet, settings.state, open_pool(settings), changing=not dry_run) as running:
        changes = decide(running)
        if dry_run:
            view, plan = await running.plan(changes)
            changed = spec_changes(running.stacks(), view.desired.stacks)
            return report_plan(settings, view, plan, fleet.cluster, changed)
        with Progress(settings) as progress:
            applied = await running.apply(changes, progress, stacks=stacks, wait_seconds=wait_seconds)
        emptied = await running.empty(stacks, applied.view) if volumes else []
        return report_applied(settings, applied, stacks, progress.lost, emptied)


def _put(settings: Settings, engine: Operations, spec: StackSpec, prune: bool) -> Changes:
    """The stack as the file has it; services that only the store has stay, unless pruned."""
    stored = next((s for s in engine.stacks() if s.name == spec.name), None)
    extra = [s for s in stored.services if spec.service(s.name) is None] if stored else []
    if stored and extra and not prune:
        for service in extra:
            note(settings, f"{spec.name}/{service.name} is not in the file and stays; --prune would remove it")
        spec = with_services_of(stored, extra, spec)
    return Changes(put=(spec,))


def with_services_of(stored: StackSpec, extra: Sequence[ServiceSpec], spec: StackSpec) -> StackSpec:
    """`spec` with the services `extra` of the stored stack, and the volumes and files that they use."""
    volumes = {mount.volume for service in extra for mount in service.mounts if isinstance(mount, VolumeMount)}
    volumes -= {volume.name for volume in spec.volumes}
    files = {file.source for service in extra for file in service.files} - {file.key for file in spec.files}
    return msgspec.structs.replace(
        spec,
        services=tuple(sorted((*spec.services, *extra), key=lambda s: s.name)),
        volumes=(*spec.volumes, *(v for v in stored.volumes if v.name in volumes)),
        files=(*spec.files, *(f for f in stored.files if f.key in files)),
    )


def _read_target(target: str) -> tuple[tuple[str, str], int]:
    match = _TARGET.fullmatch(target)
    if match is None or int(match[3]) > MAX_REPLICAS:
        raise UsageError(f"expected STACK/SERVICE=N, N at most {MAX_REPLICAS}, not {target!r}")
    return (match[1], match[2]), int(match[3])


def _scaled(engine: Operations, wanted: dict[tuple[str, str], int]) -> Changes:
    stacks = {s.name: s for s in engine.stacks()}
    for (stack, service), replicas in wanted.items():
        _require(stack, list(stacks))
        if stacks[stack].service(service) is None:
            known = ", ".join(s.name for s in stacks[stack].services)
            raise RefusedError(f"{stack} has no service {service}; it has {known}")
        services = tuple(
            msgspec.structs.replace(s, replicas=replicas) if s.name == service else s for s in stacks[stack].services
        )
        stacks[stack] = msgspec.structs.replace(stacks[stack], services=services)
    return Changes(put=tuple(stacks[stack] for stack in sorted({stack for stack, _ in wanted})))


def _removed(engine: Operations, stacks: Sequence[str]) -> Changes:
    # One whose node was away may have been removed already and still have containers.
    known = sorted({s.name for s in engine.stacks()} | engine.recorded_stacks())
    for stack in stacks:
        _require(stack, known)
    return Changes(delete=tuple(Key("stack", stack) for stack in stacks))


def _require(stack: str, known: Sequence[str]) -> None:
    if stack not in known:
        raise RefusedError(
            f"there is no stack {stack}; there {'is' if known else 'are none'} {', '.join(known)}".rstrip()
        )
