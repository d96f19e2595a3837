"""Equal bits: the same configuration was selected, and every loss and every output is the same number."""

from snnbench.errors import SnnbenchError
from snnbench.reproduce.difference import Difference, change_of
from snnbench.reproduce.matching import check_settings, describe_place, match
from snnbench.reproduce.scores import Scores


def strict(expected: Scores, found: Scores) -> list[Difference]:
    """Return every evaluation that is missing or not equal bit by bit.

    Raises:
        SnnbenchError: If the two sides come from different kinds of machines, or from different settings or data.
    """
    check_settings(expected, found)
    if expected.decimals is not None:
        raise SnnbenchError(f"Equal bits need bits, but {expected.source} is a printed table. Choose --mode balanced or loose.")
    for side in (expected, found):
        if (side.rows["bits"] == "").any():
            raise SnnbenchError(
                f"Equal bits need outputs, but {side.source} stores scores alone. Choose --mode balanced or loose."
            )
    kinds = {name: {str(m.get(name, "")) for m in (*expected.machines, *found.machines)} for name in _names(expected, found)}
    if several := [f"{name} {' and '.join(sorted(values))}" for name, values in kinds.items() if len(values) > 1]:
        raise SnnbenchError(
            f"Bits are equal on one kind of machine only, found {'; '.join(several)}. "
            "Choose --mode balanced, or record again here."
        )
    pairs, differences = match(expected, found)
    for pair in pairs.itertuples():
        if pair.bits_expected == pair.bits_found and pair.config_expected == pair.config_found:
            continue
        differences.append(
            Difference(
                describe_place(pair),
                pair.model,
                repr(float(pair.test_score_expected)),
                repr(float(pair.test_score_found)),
                "equal bits" if pair.config_expected == pair.config_found else "the same configuration",
                change_of(float(pair.test_score_expected), float(pair.test_score_found)),
            )
        )
    return differences


def _names(expected: Scores, found: Scores) -> list[str]:
    return sorted({name for machine in (*expected.machines, *found.machines) for name in machine})
