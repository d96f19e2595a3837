"""What a check found, for people and for CI systems."""

from collections.abc import Sequence
from xml.etree import ElementTree

from snnbench.reproduce.difference import Difference
from snnbench.reproduce.scores import Scores

_WORDS = {"worse": "drop", "better": "gain", "other": "other difference"}


def as_markdown(differences: Sequence[Difference], expected: Scores, found: Scores, mode: str, drops_only: bool = False) -> str:
    """Return a summary in Markdown, with a table of what differs."""
    lines = [f"### snnbench check: {verdict(differences, drops_only)}", "", describe(expected, found, mode), ""]
    if differences:
        lines += ["| where | model | expected | found | allowed | change |", "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(map(_cell, _values(difference))) + " |" for difference in differences]
    return "\n".join(lines).rstrip() + "\n"


def as_junit(differences: Sequence[Difference], expected: Scores, found: Scores, mode: str, drops_only: bool = False) -> str:
    """Return the JUnit XML of the check: a test case for every expected evaluation or conclusion, failed where it differs.

    With ``drops_only`` only what is worse fails; the rest is in the output of its case.
    """
    names = {f"{row.model} on {row.task}" for row in expected.rows.itertuples()} if mode != "loose" else {"conclusions"}
    failures: dict[str, list[Difference]] = {}
    reports: dict[str, list[Difference]] = {}
    for difference in differences:
        fails = not drops_only or difference.change == "worse"
        task = difference.place.partition(", ")[0]
        name = f"{difference.model} on {task}"
        (failures if fails else reports).setdefault(
            name if name in names else f"{difference.model}: {difference.place}", []
        ).append(difference)
    names |= failures.keys() | reports.keys()
    counts = {"tests": str(len(names)), "failures": str(len(failures)), "errors": "0"}
    suite = ElementTree.Element("testsuite", {"name": f"snnbench check --mode {mode}", **counts})
    for name in sorted(names):
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"snnbench.reproduce.{expected.suite}", name=_printable(name)
        )
        for found_here in failures.get(name, ())[:1]:
            failure = ElementTree.SubElement(case, "failure", message=_printable(_sentence(found_here)))
            failure.text = _printable("\n".join(_sentence(difference) for difference in failures[name]))
        if name in reports:
            output = ElementTree.SubElement(case, "system-out")
            output.text = _printable("\n".join(_sentence(difference) for difference in reports[name]))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def verdict(differences: Sequence[Difference], drops_only: bool = False) -> str:
    """Return the outcome in a few words: ``same``, ``2 differences``; where only drops count, ``1 drop, 2 gains``."""
    n = len(differences)
    if drops_only:
        counts = [(sum(found.change == change for found in differences), word) for change, word in _WORDS.items()]
        told = [f"{count} {word}{'s' if count > 1 else ''}" for count, word in counts if count]
        return ", ".join(told if counts[0][0] else ["no drop", *told])
    return "same" if n == 0 else f"{n} difference{'s' if n > 1 else ''}"


def describe(expected: Scores, found: Scores, mode: str) -> str:
    """Return what was compared, in a sentence."""
    return (
        f"{len(found.rows)} evaluations of {found.source} against {len(expected.rows)} of {expected.source} "
        f"({expected.suite}, mode {mode})."
    )


def _values(difference: Difference) -> tuple[str, ...]:
    return (*(getattr(difference, name) for name in ("place", "model", "expected", "found", "allowed")), difference.change)


def _sentence(difference: Difference) -> str:
    allowed = f", allowed {difference.allowed}" if difference.allowed else ""
    return f"{difference.place}: expected {difference.expected}, found {difference.found}{allowed} ({difference.change})"


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _printable(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\t\n")
