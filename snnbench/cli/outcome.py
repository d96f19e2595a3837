"""What `snnbench run` prints beside its plan: stored rows that are not used, warnings, and the result."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from snnbench.cli.output import errors, results, say
from snnbench.command_line import as_typed
from snnbench.display.plan import MAX_NAMES
from snnbench.display.wording import name_some, plural

if TYPE_CHECKING:
    from collections import Counter

    from snnbench.benchmark import LoadedSuite, Request, RunOutcome
    from snnbench.execution.plan import Plan


def print_unused(request: "Request", loaded: "LoadedSuite", plan: "Plan") -> None:
    """Say in one line how many stored rows do not count for this run, and why."""
    from snnbench.results.stale import COLUMNS, explain_unused
    from snnbench.results.store import read_results

    rows = read_results([request.results], COLUMNS)
    rows = rows[rows["suite"] == request.suite] if len(rows) else rows
    settings, compute = request.settings, asdict(request.compute)
    reasons = explain_unused(rows, plan.members, loaded.by_name, settings, request.codes, compute, request.results)
    if not reasons:
        return
    told = sorted(reasons.items(), key=lambda found: (-found[1], found[0]))[:MAX_NAMES]
    words = [reason if len(reasons) == 1 else f"{n_rows:,} × {reason}" for reason, n_rows in told]
    if n_others := reasons.total() - sum(n_rows for _, n_rows in told):
        words.append(f"{n_others:,} for other reasons")
    errors().print(f"{plural(reasons.total(), 'stored training')} not used here: {'; '.join(words)}.", soft_wrap=True)


def print_warnings(warnings: "Counter[tuple[str, str]]") -> None:
    """Show each warning once, with the models and tasks that gave it."""
    sources: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for (source, message), n_times in warnings.items():
        sources.setdefault(message, []).append(source)
        counts[message] = counts.get(message, 0) + n_times
    for message, places in sources.items():
        say("Warning:", f"{counts[message]:,} × {message} ({name_some(places, MAX_NAMES)})")


def print_outcome(request: "Request", outcome: "RunOutcome") -> None:
    """Say what was stored, what has no score although nothing failed, what failed and which models have no score."""
    from snnbench.records import is_lasting

    for title, rows in (("No fit:", outcome.refused), ("Failed:", outcome.failures)):
        reasons: dict[tuple[str, str], list[str]] = {}
        for row in rows:
            reasons.setdefault((row.model, row.error), []).append(row.task)
        for (model, error), tasks in reasons.items():
            names = name_some(sorted(set(tasks)), MAX_NAMES)
            say(title, f"{plural(len(tasks), 'training')} of {model} on {names}: {error}")
    unselected: dict[tuple[str, str], list[str]] = {}
    for group, reason in {**outcome.missing, **outcome.unselected}.items():
        place = group.task if len(request.repetitions) == 1 else f"{group.task} ({group.split})"
        unselected.setdefault((group.model, reason), []).append(place)
    for (model, reason), places in unselected.items():
        say("No score:", f"{model} on {name_some(places, MAX_NAMES)}: {reason}")
    if outcome.n_left:
        errors().print(
            f"Stopped with {plural(outcome.n_left, 'job')} of this stage left. The same command continues from here."
        )
        return
    if outcome.refused:
        errors().print(
            "What has no fit is stored so and not tried again, unless `snnbench results prune --failed --yes` removes it."
        )
    if any(not is_lasting(row.status) for row in outcome.failures):  # a training that diverged would diverge again
        errors().print("The same command runs what failed again.")
    done = f"{plural(outcome.n_trained, 'training')} stored in {request.results}"
    if outcome.n_trained == 0:
        done = "0 trainings were left to do"
    elif outcome.failures:
        done += f", {len(outcome.failures):,} of them failed"
    results().print(f"{done}. Next: snnbench compare {as_typed([str(request.results)])}", soft_wrap=True)
