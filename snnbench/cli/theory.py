"""``snnbench theory``: the theorems checked by machine, and other activations put to the same test."""

import math
from typing import TYPE_CHECKING, Annotated

import typer

from snnbench.cli.output import FLAG, results
from snnbench.display.progress import Mode
from snnbench.display.wording import plural
from snnbench.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from snnbench.paper.theory.analysis import Analysis, FixedPoint
    from snnbench.paper.theory.domain import Domain
    from snnbench.paper.theory.theorems import Verdict

app = typer.Typer(no_args_is_help=True, help="Self-normalization: the theorems checked by machine, and other activations.")

Range = tuple[str, str]


@app.command()
def verify(
    theorem: Annotated[list[str] | None, typer.Option(metavar="N", help="1, 2 or 3; may be repeated. Default: all.")] = None,
    fast: Annotated[
        bool, typer.Option("--fast", metavar=FLAG, help="Only prove the bounds; do not find how far they are from failing.")
    ] = False,
    tolerance: Annotated[float, typer.Option(metavar="D", help="How well extreme values are enclosed.")] = 1e-5,
    mean: Annotated[str | None, typer.Option(metavar="X", help="Another domain: largest |μ|.")] = None,
    omega: Annotated[str | None, typer.Option(metavar="X", help="Another domain: largest |ω|.")] = None,
    variance: Annotated[Range | None, typer.Option(metavar="LOW HIGH", help="Another domain: range of ν.")] = None,
    tau: Annotated[Range | None, typer.Option(metavar="LOW HIGH", help="Another domain: range of τ.")] = None,
    max_boxes: Annotated[int, typer.Option(metavar="N", help="Boxes after which a bound is given up.", min=1)] = 2_000_000,
    progress: Annotated[Mode, typer.Option(help="How progress is shown.")] = Mode.auto,
) -> None:
    """Prove Theorems 1, 2 and 3 over their whole domains, in ball arithmetic with adaptive subdivision.

    Exit code 1 if a bound is refuted, with a counterexample, or could not be decided, with the box.
    """
    from snnbench.cli.theory_progress import display
    from snnbench.paper.theory.theorems import claims_of
    from snnbench.paper.theory.theorems import verify as verify_claim

    if not tolerance > 0:
        raise ConfigError(f"--tolerance must be above 0, found {tolerance:g}; 1e-5 is the default.")
    names = list(dict.fromkeys(theorem or ["1", "2", "3"]))
    domain = _domain(names, mean, omega, variance, tau)
    claims = [claim for name in names for claim in claims_of(name, domain)]
    verdicts = []
    with display(progress, claims) as report:
        for claim in claims:
            verdicts.append(verify_claim(claim, math.inf if fast else tolerance, max_boxes, report(claim)))
    results().print(_verdicts(verdicts, fast))
    _conclude(verdicts)


def _domain(
    names: list[str], mean: str | None, omega: str | None, variance: Range | None, tau: Range | None
) -> "Domain | None":
    """Return the domain that was asked for: that of the theorem, but for what was given; None for the theorem's own."""
    from dataclasses import replace

    from snnbench.paper.theory.domain import rational
    from snnbench.paper.theory.theorems import DOMAINS

    if mean is None and omega is None and variance is None and tau is None:
        return None
    if len(names) != 1 or names[0] not in DOMAINS:
        raise ConfigError(f"Another domain is for one theorem: name it with --theorem 1, 2 or 3; found {', '.join(names)}.")
    given = {
        "mean": None if mean is None else rational(mean),
        "omega": None if omega is None else rational(omega),
        "variance": None if variance is None else (rational(variance[0]), rational(variance[1])),
        "tau": None if tau is None else (rational(tau[0]), rational(tau[1])),
    }
    return replace(DOMAINS[names[0]], **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def _verdicts(verdicts: "list[Verdict]", fast: bool) -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("theorem")
    table.add_column("bound", no_wrap=True)
    table.add_column("found")
    table.add_column("paper", justify="right")
    table.add_column("boxes", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("domain", overflow="fold")
    for verdict in verdicts:
        claim = verdict.claim
        sign = "<" if claim.side == "largest" else ">"
        table.add_row(
            claim.theorem,
            f"{claim.side} {claim.quantity} {sign} {claim.limit:g}",
            _extreme(verdict, fast),
            claim.printed or "-",
            f"{verdict.n_boxes:,}",
            f"{verdict.seconds:.2f}",
            str(claim.domain),
        )
    return table


def _extreme(verdict: "Verdict", fast: bool) -> str:
    """Say where the extreme value lies; digits are rounded outward, so that what is printed is proved too."""
    if verdict.status != "proved":
        return verdict.status
    n_digits = 9 if fast else 6
    low, high = math.floor(verdict.low * 10**n_digits) / 10**n_digits, math.ceil(verdict.high * 10**n_digits) / 10**n_digits
    if not fast:
        return f"in [{low:.{n_digits}f}, {high:.{n_digits}f}]"
    return f"≤ {high:.{n_digits}f}" if verdict.claim.side == "largest" else f"≥ {low:.{n_digits}f}"


def _conclude(verdicts: "list[Verdict]") -> None:
    failed = [verdict for verdict in verdicts if verdict.status != "proved"]
    seconds = sum(verdict.seconds for verdict in verdicts)
    boxes = sum(verdict.n_boxes for verdict in verdicts)
    results().print(
        f"{len(verdicts) - len(failed)} of {plural(len(verdicts), 'bound')} proved, {boxes:,} boxes in {seconds:.1f} s.",
        soft_wrap=True,
    )
    for verdict in failed:
        results().print(_failure(verdict), soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _failure(verdict: "Verdict") -> str:
    claim = verdict.claim
    what = f"Theorem {claim.theorem}, {claim.side} {claim.quantity} on {claim.domain}"
    (m_low, m_high), (v_low, v_high) = verdict.box.m, verdict.box.v
    box = f"μω in [{m_low!r}, {m_high!r}], ντ in [{v_low!r}, {v_high!r}]"
    if verdict.status == "undecided":
        return f"{what}: undecided after {verdict.n_boxes:,} boxes in the box {box}. A larger --max-boxes may decide it."
    point = ", ".join(f"{name} {value:.10g}" for name, value in verdict.at.items())
    value, comparison = (verdict.low, "at least") if claim.side == "largest" else (verdict.high, "at most")
    return f"{what}: fails at {point}, where it is proved to be {comparison} {value:.10g}; last box {box}."


@app.command()
def analyse(
    activation: Annotated[
        str, typer.Option(metavar="NAME", help="relu, elu, gelu, silu, tanh, selu …, or the import path of a function.")
    ],
    toml: Annotated[
        bool,
        typer.Option("--toml", metavar=FLAG, help="Print a model's table for `run --config`, with a fixed point at (0, 1)."),
    ] = False,
) -> None:
    """Say whether an activation normalises itself, as SELU does: the fixed points of its moment map at unit weights.

    Unit weights means ω = 0 and τ = 1: the weights of a unit add up to 0 and their squares to 1.
    """
    import sys

    from snnbench.models.activations import import_path
    from snnbench.paper.theory.analysis import analyse as run_analysis
    from snnbench.paper.theory.normalising import as_toml

    sys.path.insert(0, "")  # a function of one's own lies where the command is typed
    if toml:
        results().print(as_toml(import_path(activation)), end="", soft_wrap=True, markup=False, highlight=False)
        return
    analysis = run_analysis(activation)
    console = results()
    for line in _findings(activation, analysis):
        console.print(line, soft_wrap=True)


def _findings(name: str, analysis: "Analysis") -> list[str]:
    points = analysis.fixed_points
    lines = [f"{name} at unit weights:"]
    lines += [f"  fixed point {_point(point)}" for point in points]
    attracting = [point for point in points if point.attracts]
    if analysis.keeps_every_variance:
        lines.append("  Every variance is a fixed point: a difference neither grows nor shrinks. It does not normalise itself.")
    elif attracting:
        lines.append("  It normalises itself: networks that start near that point come nearer with every layer.")
    else:
        lines.append(f"  No attracting fixed point with a variance above 0. {_tendency(analysis)}")
    normalised = analysis.normalised
    verdict = "attracts" if normalised.attracts else "does not attract"
    shift = 0.0 if abs(analysis.shift) < 1e-12 else analysis.shift
    lines.append(f"{analysis.scale:.10g} · {name}(z) {'−' if shift < 0 else '+'} {abs(shift):.10g}:")
    lines.append(f"  fixed point {_point(normalised)}, which {verdict}.")
    return lines


def _tendency(analysis: "Analysis") -> str:
    if analysis.small < 1 and analysis.large < 1:
        return f"The variance falls with every layer, by a factor of {analysis.small:.4g} where it is small."
    if analysis.small > 1 and analysis.large > 1:
        return f"The variance grows with every layer, by a factor of {analysis.large:.4g} at {analysis.largest_variance:.3g}."
    return "Small variances fall and large ones grow."


def _point(point: "FixedPoint") -> str:
    mean = 0.0 if abs(point.mean) < 1e-12 else point.mean
    return (
        f"mean {mean:.8g}, variance {point.variance:.8g} "
        f"(spectral norm {point.spectral_norm:.6f}, spectral radius {point.spectral_radius:.6f})"
    )
