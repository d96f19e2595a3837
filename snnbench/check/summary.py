"""What a check found, for people and for CI systems."""

from collections.abc import Sequence
from xml.etree import ElementTree

from snnbench.check.difference import Difference
from snnbench.check.scores import Scores


def as_markdown(differences: Sequence[Difference], expected: Scores, found: Scores, mode: str) -> str:
    """Return a summary in Markdown, with a table of what differs."""
    lines = [f"### snnbench check: {verdict(differences)}", "", describe(expected, found, mode), ""]
    if differences:
        lines += ["| where | model | expected | found | allowed |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(map(_cell, _values(difference))) + " |" for difference in differences]
    return "\n".join(lines).rstrip() + "\n"


def as_junit(differences: Sequence[Difference], expected: Scores, found: Scores, mode: str) -> str:
    """Return the JUnit XML of the check: a test case for every expected evaluation or conclusion, failed where it differs."""
    names = {f"{row.model} on {row.task}" for row in expected.rows.itertuples()} if mode != "loose" else {"conclusions"}
    failures: dict[str, list[Difference]] = {}
    for difference in differences:
        task = difference.place.partition(", ")[0]
        name = f"{difference.model} on {task}"
        failures.setdefault(name if name in names else f"{difference.model}: {difference.place}", []).append(difference)
    names |= set(failures)
    counts = {"tests": str(len(names)), "failures": str(len(failures)), "errors": "0"}
    suite = ElementTree.Element("testsuite", {"name": f"snnbench check --mode {mode}", **counts})
    for name in sorted(names):
        case = ElementTree.SubElement(suite, "testcase", classname=f"snnbench.check.{expected.suite}", name=_printable(name))
        for found_here in failures.get(name, ())[:1]:
            failure = ElementTree.SubElement(case, "failure", message=_printable(_sentence(found_here)))
            failure.text = _printable("\n".join(_sentence(difference) for difference in failures[name]))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def verdict(differences: Sequence[Difference]) -> str:
    """Return the outcome in a few words."""
    n = len(differences)
    return "same" if n == 0 else f"{n} difference{'s' if n > 1 else ''}"


def describe(expected: Scores, found: Scores, mode: str) -> str:
    """Return what was compared, in a sentence."""
    return (
        f"{len(found.rows)} evaluations of {found.source} against {len(expected.rows)} of {expected.source} "
        f"({expected.suite}, mode {mode})."
    )


def _values(difference: Difference) -> tuple[str, ...]:
    return difference.place, difference.model, difference.expected, difference.found, difference.allowed


def _sentence(difference: Difference) -> str:
    allowed = f", allowed {difference.allowed}" if difference.allowed else ""
    return f"{difference.place}: expected {difference.expected}, found {difference.found}{allowed}"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n")
