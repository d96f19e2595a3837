"""What a ranking says in words: what can be concluded, what cannot, and what that rests on."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from snnbench import stats
from snnbench.records import Alternative
from snnbench.report import ComparisonOptions, rank_models
from snnbench.report.ranking import ScoreOrigin
from snnbench.report.sensitivity import compare_without_flagged
from snnbench.report.summary import conclude, describe_comparison, describe_sensitivity, describe_test, name_models
from snnbench.results.published import load_published

NAN = float("nan")


def table(n_tasks: int = 12, **shifts: float) -> pd.DataFrame:
    """Scores of models that differ by a shift on every task, by another noise on each."""
    noise = np.random.default_rng(0).normal(scale=0.01, size=(n_tasks, len(shifts)))
    scores = 0.5 + np.array(list(shifts.values())) + noise
    return pd.DataFrame(scores, columns=list(shifts), index=[f"task-{k}" for k in range(n_tasks)])


def test_shown_and_open_differences_are_in_one_sentence() -> None:
    comparison = rank_models(table(a=0.2, b=0.2, c=0.0, d=-0.2), options=ComparisonOptions(baseline="a"))
    assert conclude(comparison) == "a scores higher than c and d (p < 0.05); a difference from b is neither shown nor excluded."
    middle = rank_models(table(a=0.2, b=0.2, c=0.0, d=-0.2), options=ComparisonOptions(baseline="c"))
    assert conclude(middle).startswith("c scores higher than d and lower than ")
    assert set(middle.with_verdict("better")) == {"a", "b"}


def test_uncorrected_tests_are_called_so() -> None:
    comparison = rank_models(table(a=0.2, b=0.0, c=-0.2), options=ComparisonOptions(correction="none"))
    assert conclude(comparison) == "a scores higher than b and c (p < 0.05 in each test by itself)."
    two = rank_models(table(a=0.2, b=0.0), options=ComparisonOptions(correction="none", alpha=0.01))
    assert conclude(two) == "a scores higher than b (p < 0.01)."


def test_no_difference_is_not_called_equality() -> None:
    comparison = rank_models(table(a=0.0, b=0.0, c=0.0))
    assert conclude(comparison).startswith(
        f"No difference is shown at p < 0.05: {comparison.baseline} ranks best, but a difference"
    )
    assert "is neither shown nor excluded." in conclude(comparison)


def test_practical_equivalence_is_concluded_where_it_is_probable_and_not_from_few_tasks() -> None:
    close = table(n_tasks=40, a=0.001, b=0.0, c=-0.2)
    comparison = rank_models(close, options=ComparisonOptions(baseline="a"))
    assert conclude(comparison).endswith(
        " Practically equivalent to a, with a probability of at least 0.95 that the difference is at most 0.01: b."
    )
    probability = stats.bayesian_signed_rank(close, 0.01, "a", n_samples=20_000).at[("a", "b"), "p_equivalent"]
    assert comparison.bayesian.at[("a", "b"), "p_equivalent"] == probability > 0.95
    assert "equivalent" not in conclude(rank_models(close, options=ComparisonOptions(baseline="a", rope=0.0)))
    assert "equivalent" not in conclude(rank_models(close.iloc[:4], options=ComparisonOptions(baseline="a")))


@pytest.mark.parametrize(
    ("scores", "rope"),
    [
        ({"a": [0.8, 0.9], "b": [0.7, 1.0]}, 0.01),
        ({"a": [80.0, 90.0], "b": [70.0, 0.5]}, 1.0),
        ({"a": [-0.2, -0.1], "b": [-0.3, 0.0]}, 0.01),
        ({"a": [100.0, 300.0, 500.0], "b": [200.0, 200.0, 200.0]}, 10.0),
        ({"a": [1.0, 1.0], "b": [1.5, 1.5]}, 1.0),
    ],
)
def test_the_region_of_equivalence_follows_the_scores(scores: dict[str, list[float]], rope: float) -> None:
    assert rank_models(pd.DataFrame(scores)).rope == pytest.approx(rope)
    assert rank_models(pd.DataFrame(scores), options=ComparisonOptions(rope=0.3)).rope == 0.3


def test_too_few_tasks_are_called_so() -> None:
    comparison = rank_models(table(n_tasks=2, a=0.2, b=0.0))
    assert conclude(comparison) == (
        "Nothing can be concluded: on 2 tasks no difference can reach p < 0.05, whatever the scores "
        "(the smallest possible p is 0.5)."
    )
    # Six tasks suffice for two models, and Holm's correction makes them too few for three.
    assert conclude(rank_models(table(n_tasks=6, a=0.2, b=0.0))).startswith("a scores higher")
    assert conclude(rank_models(table(n_tasks=6, a=0.2, b=0.0, c=-0.2))).startswith("Nothing can be concluded")
    one_sided = ComparisonOptions(alternative="greater", baseline="a")
    assert conclude(rank_models(table(n_tasks=5, a=0.2, b=0.0), options=one_sided)).startswith("a scores higher")
    # The better of two is tested in the direction that the scores chose: two comparisons.
    chosen = conclude(rank_models(table(n_tasks=5, a=0.2, b=0.0), options=ComparisonOptions(alternative="greater")))
    assert chosen.endswith("(the smallest possible adjusted p is 0.062).")


def test_all_ties_are_called_so() -> None:
    comparison = rank_models(pd.DataFrame({"a": [0.5] * 8, "b": [0.5] * 8}))
    assert conclude(comparison).startswith("All models score the same on every task")
    assert list(comparison.table["adjusted_pvalue"].fillna(-1)) == [-1, 1]


def test_many_models_are_counted() -> None:
    assert name_models(["a"]) == "a"
    assert name_models(list("abcdefgh")) == "a, b, c, d, e, f, g and h"
    assert name_models(list("abcdefghij")) == "a, b, c, d, e, f and 4 more"


def test_averaging_and_gaps_are_said() -> None:
    scores = table(a=0.2, b=0.0)
    scores.iloc[0, 1] = NAN
    comparison = rank_models(scores, origin=ScoreOrigin("core", "auc", averaged="4 repetitions and 3 seeds"))
    assert describe_comparison(comparison)[:2] == [
        "2 models on 12 tasks of core, by auc. "
        "The score of a task is the mean of 4 repetitions and 3 seeds; a task counts once.",
        "1 missing score takes the worst rank on its task and is in no pair of a Wilcoxon test: b 1.",
    ]


def test_the_ranking_without_flagged_tasks_is_compared() -> None:
    scores = table(n_tasks=20, a=0.2, b=0.0)
    scores.iloc[:8] = scores.iloc[:8, ::-1].to_numpy()
    flags = {f"task-{k}": ["class-not-in-test: 2 of 13 classes"] for k in range(8)} | {"elsewhere": ["x"]}
    comparison = rank_models(scores, origin=ScoreOrigin(flags=flags))
    assert set(comparison.flags) == {f"task-{k}" for k in range(8)}
    without = compare_without_flagged(comparison)
    assert without is not None
    assert (without.n_tasks, without.baseline, dict(without.moved)) == (12, "a", {})
    assert dict(without.changed) == {"b": ("undecided", "worse")}
    (line,) = describe_sensitivity(comparison)
    assert line == (
        "Without the 8 tasks whose data the audit finds at fault (--exclude-flagged), on 12, the order is the same; "
        "verdicts change: b from undecided to worse."
    )
    unmoved = rank_models(table(n_tasks=20, a=0.2, b=0.0), origin=ScoreOrigin(flags=flags))
    assert describe_sensitivity(unmoved)[0].endswith("on 12, order and verdicts are the same.")
    assert describe_sensitivity(rank_models(scores)) == []
    only = rank_models(scores.iloc[:8], origin=ScoreOrigin(flags=flags))
    assert describe_sensitivity(only)[0].endswith("no task is left to compare.")


def test_one_task_is_no_sample_of_tasks():
    one = table(n_tasks=1, a=0.2, b=0.0)
    assert conclude(rank_models(one)).endswith("one task is no sample of them.")
    assert conclude(rank_models(one, origin=ScoreOrigin(averaged="2 seeds"))).endswith("are no further tasks.")
    assert "compare --by split" in conclude(rank_models(one, origin=ScoreOrigin(averaged="10 repetitions and 2 seeds")))


def test_the_smallest_possible_pvalue_is_that_of_the_correction() -> None:
    """Hochberg's smallest adjusted p is the raw minimum: five tasks one-sided are enough for it, and not for Holm."""
    tasks = ["abalone", "annealing", "arrhythmia", "audiology-std", "bank"]
    scores = load_published("snn2017").loc[tasks, ["snn", "batchnorm", "weightnorm"]]
    one_sided = ComparisonOptions(baseline="snn", alternative="greater", correction="hochberg")
    comparison = rank_models(scores, options=one_sided)
    assert comparison.with_verdict("worse") == ["weightnorm", "batchnorm"]
    assert conclude(comparison).startswith("snn scores higher than weightnorm and batchnorm (p < 0.05)")
    holm = conclude(rank_models(scores, options=ComparisonOptions(baseline="snn", alternative="greater")))
    assert holm.endswith("(the smallest possible adjusted p is 0.062).")


@pytest.mark.parametrize("correction", stats.CORRECTIONS)
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
@pytest.mark.parametrize("baseline", ["best", "a"])
def test_nothing_can_be_concluded_exactly_where_no_scores_could_show_anything(
    correction: str, alternative: Alternative, baseline: str
) -> None:
    """Differences of one sign everywhere, the clearest scores there are, have a verdict or are said to be too few."""
    for n_tasks, n_models in product(range(3, 12), range(2, 6)):
        scores = pd.DataFrame(
            np.arange(n_tasks)[:, np.newaxis] ** 2 / 100 - np.arange(n_models) * (1 + np.arange(n_tasks)[:, np.newaxis])
        )
        scores.columns = list("abcde")[:n_models]
        comparison = rank_models(
            scores, options=ComparisonOptions(baseline=baseline, alternative=alternative, correction=correction)
        )
        too_few = conclude(comparison).startswith("Nothing can be concluded")
        assert too_few == (comparison.with_verdict("worse") == [])


def test_what_is_corrected_for_is_said() -> None:
    scores = table(a=0.2, b=0.0, c=-0.2)
    best = " ".join(describe_test(rank_models(scores)))
    assert "over all 3 pairs, as the baseline was chosen as the best on these very tasks." in best
    assert "over the 2 comparisons with a." in " ".join(
        describe_test(rank_models(scores, options=ComparisonOptions(baseline="a")))
    )
    one_sided = " ".join(describe_test(rank_models(scores, options=ComparisonOptions(alternative="greater"))))
    assert "over all 3 pairs in both directions, as" in one_sided
    paper = " ".join(describe_test(rank_models(scores, options=ComparisonOptions(alternative="greater", correction="none"))))
    assert "at least one would be called worse in 67 of 100 such comparisons" in paper


def test_a_mean_score_over_unlike_tasks_is_called_so() -> None:
    scores = table(n_tasks=30, a=0.2, b=0.0)
    scores.iloc[1:, 1] = NAN
    assert "not of the same tasks for all (b on 1 of 30)" in describe_test(rank_models(scores))[0]
    assert "not of the same tasks" not in describe_test(rank_models(table(a=0.2, b=0.0)))[0]
