"""The JSON of a comparison: every number, its test and its options, in a documented form.

``docs/comparison.schema.json`` is made from these classes and held to them by a test. A field is never renamed or removed, and
never changes its meaning, without another ``SCHEMA_VERSION``; fields may be added. NaN is written as null.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal[1] = 1


_CONFIG = ConfigDict(extra="forbid", ser_json_inf_nan="null", use_attribute_docstrings=True)


class Options(BaseModel):
    """What was asked for; the options of ``snnbench compare``."""

    model_config = _CONFIG

    published: list[str]
    """Names of the published score tables, or files of scores, beside the results."""
    index: str
    """The column that names the tasks in files of scores; empty = found by its name."""
    lower_is_better: bool
    """Whether the scores of such files are errors or losses; they are negative here."""
    models: list[str]
    """The models that were asked for; empty = all."""
    tasks: list[str]
    """The tasks that were asked for; empty = all."""
    subset: Literal["all", "small", "large"]
    """Which tasks by size."""
    min_samples: int
    """Tasks with fewer rows are left out."""
    exclude_flagged: bool
    """Whether tasks that the audit of the data flags are left out."""
    data: list[str]
    """Versions of the data that were asked for; empty = the newest of each task."""
    missing: Literal["worst", "drop-task", "drop-model", "impute"]
    """What becomes of missing scores."""
    impute_from: str
    """The model whose scores stand for missing ones; empty = the mean of the others."""
    alpha: float
    """Adjusted p-values below this are called significant."""
    rope: float
    """Half the width of the region of practical equivalence, in units of the score."""


class Effect(BaseModel):
    """By how much, and how often, the baseline scores higher than a model; null at the baseline."""

    model_config = _CONFIG

    median_difference: float | None
    """Median over the tasks of the baseline's score minus the model's."""
    low: float | None
    """Lower end of its bootstrap interval."""
    high: float | None
    """Upper end of its bootstrap interval."""
    rank_biserial: float | None
    """Matched-pairs rank-biserial correlation, -1 to 1."""
    won: int | None
    """Tasks on which the baseline scores higher."""
    tied: int | None
    """Tasks on which both score the same."""
    lost: int | None
    """Tasks on which the model scores higher."""
    win_rate: float | None
    """Share of tasks on which the baseline scores higher, a tie counting half."""


class Model(BaseModel):
    """A model of the comparison."""

    model_config = _CONFIG

    model: str
    """Name of the model."""
    verdict: Literal["baseline", "better", "worse", "undecided"]
    """Significantly better or worse than the baseline by the Wilcoxon test, or undecided."""
    mean_rank: float
    """Mean over the tasks, 1 = best; ties share their mean rank, a missing score has the worst."""
    mean_rank_low: float
    """Lower end of its interval over the tasks, at the level ``confidence``."""
    mean_rank_high: float
    """Upper end of its interval."""
    rank_difference: float
    """Mean rank minus the mean of all ranks, (n_models + 1) / 2; Table 1 of the paper prints this."""
    n_scores: int
    """On how many tasks the model has a score."""
    mean_score: float
    """Mean over the tasks that it has a score on."""
    median_score: float
    """Median over them."""
    mean_shifted_score: float
    """Mean of its score minus the best score of the task, at most 0."""
    improvability: float | None
    """Mean share of its error that the best model of the task has not, 0 to 1; null for scores of no known scale."""
    rescaled_loss: float
    """Mean of its place between the best score of the task (0) and the worst (1)."""
    wins: float
    """Tasks on which it is the best; a first place shared by k models counts 1/k."""
    elo: float
    """Elo rating among these models; their mean is 1000."""
    elo_low: float
    """Lower end of its interval over the tasks."""
    elo_high: float
    """Upper end of its interval."""
    effect: Effect
    """The baseline against this model."""


class Omnibus(BaseModel):
    """A test of all models at once."""

    model_config = _CONFIG

    test: Literal["friedman", "iman_davenport"]
    """Name of the test."""
    statistic: float | None
    """Chi-square or F; null with fewer than two models or tasks, or if infinite."""
    degrees_of_freedom: list[int]
    """One number for chi-square, two for F."""
    pvalue: float | None
    """Probability of such a statistic if all models had the same mean rank."""


class BaselineResult(BaseModel):
    """The baseline against one model."""

    model_config = _CONFIG

    model: str
    """The model."""
    statistic: float | None
    """As SciPy defines it for this test."""
    pvalue: float | None
    """Not corrected."""
    adjusted_pvalue: float | None
    """Corrected for the number of comparisons with the baseline; for all pairs if it was chosen as the best."""
    n_tasks: int
    """Tasks on which both have a score."""


class BaselineTest(BaseModel):
    """A test of the baseline against every other model."""

    model_config = _CONFIG

    test: Literal["wilcoxon", "sign"]
    """Name of the test."""
    description: str
    """The test in a sentence."""
    baseline: str
    """The model that the others are compared with."""
    alternative: Literal["two-sided", "greater"]
    """``greater``: the baseline scores higher."""
    correction: Literal["holm", "hochberg", "shaffer", "none"]
    """For the number of comparisons."""
    zero_method: Literal["wilcox", "pratt", "zsplit"] | None
    """What a Wilcoxon test does with differences of zero."""
    results: list[BaselineResult]
    """One entry a model, without the baseline."""


class PairResult(BaseModel):
    """Two models."""

    model_config = _CONFIG

    model: str
    """The one of the better mean rank."""
    other: str
    """The other."""
    statistic: float | None
    """Studentized range (Nemenyi) or signed rank sum (Wilcoxon)."""
    pvalue: float | None
    """Not corrected, but for the Nemenyi test, whose p-values hold for all pairs at once."""
    adjusted_pvalue: float | None
    """Corrected for the number of pairs."""


class PairTest(BaseModel):
    """A two-sided test of all pairs of models."""

    model_config = _CONFIG

    test: Literal["nemenyi", "pairwise_wilcoxon"]
    """Name of the test."""
    correction: Literal["holm", "hochberg", "shaffer", "none"]
    """For the number of pairs; the Nemenyi test needs none."""
    critical_difference: float | None
    """Nemenyi: how far apart two mean ranks must be to differ at ``alpha``."""
    pairs: list[PairResult]
    """Every pair once."""


class Pair(BaseModel):
    """Two models at a glance: a cell of the pairwise matrix."""

    model_config = _CONFIG

    model: str
    """The one of the better mean rank."""
    other: str
    """The other."""
    mean_difference: float | None
    """Mean over the tasks of the model's score minus the other's."""
    won: int
    """Tasks on which the model scores higher; a missing score is a loss."""
    tied: int
    """Tasks on which both score the same."""
    lost: int
    """Tasks on which the other scores higher."""
    n_tasks: int
    """Tasks on which both have a score."""
    rank_biserial: float | None
    """Matched-pairs rank-biserial correlation, -1 to 1; positive if the model scores higher."""
    pvalue: float | None
    """Of the two-sided Wilcoxon test, not corrected."""
    adjusted_pvalue: float | None
    """Corrected for the number of pairs."""
    p_higher: float | None
    """Bayesian signed-rank test: probability that the model is better; null for more than 40 models."""
    p_equivalent: float | None
    """Probability that both are practically equivalent."""
    p_lower: float | None
    """Probability that the other is better."""


class BayesianResult(BaseModel):
    """Posterior probabilities for the baseline against one model; they sum to 1."""

    model_config = _CONFIG

    model: str
    """The model."""
    p_higher: float | None
    """That the baseline is better by more than the region of practical equivalence."""
    p_equivalent: float | None
    """That both are practically equivalent."""
    p_lower: float | None
    """That the model is better."""
    n_tasks: int
    """Tasks on which both have a score; of the hierarchical test on at least two splits."""
    difference: float | None
    """Hierarchical test: mean difference over all tasks of the kind, the baseline's score minus the model's; else null."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    """Upper end of its interval."""


class Bayesian(BaseModel):
    """A Bayesian test of the baseline against every other model."""

    model_config = _CONFIG

    test: Literal["signed-rank", "hierarchical"]
    """On the scores of the tasks, or on those of all their splits."""
    baseline: str
    """The model that the others are compared with."""
    rope: float
    """Half the width of the region of practical equivalence."""
    prior: float | None
    """Weight of one imaginary task without a difference; null for the hierarchical test."""
    n_samples: int
    """Draws from the posterior."""
    seed: int
    """Seed of the random draws."""
    results: list[BayesianResult]
    """One entry a model, without the baseline."""


class Resampling(BaseModel):
    """How the bootstrap intervals of effects were made: percentiles over resampled tasks."""

    model_config = _CONFIG

    confidence: float
    """Confidence level of all intervals, for example 0.95."""
    n_resamples_rank: int
    """Number of resamples for mean ranks; 0, because their interval is Student's and needs none."""
    n_resamples_effect: int
    """Number of resamples for median differences."""
    n_resamples_elo: int
    """Number of resamples for Elo ratings; 0, because their interval needs none."""
    elo_games: Literal["tasks", "splits"]
    """What models meet on for Elo: tasks, or all splits, weighted so that a task counts once."""
    seed: int
    """Seed of the random resamples."""


class Sensitivity(BaseModel):
    """The same comparison without the flagged tasks."""

    model_config = _CONFIG

    n_tasks: int
    """Tasks that remain."""
    baseline: str
    """The model that the others are then compared with."""
    moved: dict[str, tuple[int, int]]
    """Places by mean rank, before and after, of the models whose place changes."""
    changed: dict[str, tuple[str, str]]
    """Verdicts, before and after, of the models whose verdict changes."""


class Printed(BaseModel):
    """What Klambauer et al. (2017) print of the same models on the same tasks."""

    model_config = _CONFIG

    source: str
    """Which table."""
    models: dict[str, dict[str, float | None]]
    """By model: ``rank_difference``, and the one-sided ``pvalue``, not corrected; null for the best."""


class ComparisonDocument(BaseModel):
    """The outcome of ``snnbench compare --format json``."""

    model_config = _CONFIG

    schema_version: Literal[1] = SCHEMA_VERSION
    """Version of the form of this document."""
    snnbench_version: str
    """Version of the program that wrote it."""
    suite: str
    """Whose tasks; empty for tables of scores alone."""
    tables: list[str]
    """Names of the tables of scores that were read from files or data frames."""
    metric: str
    """What the scores are; higher is better."""
    conclusion: str
    """What can and cannot be concluded, in a sentence."""
    options: Options
    """What was asked for."""
    n_tasks: int
    """Tasks that were compared."""
    n_models: int
    """Models that were compared."""
    averaged: str
    """What the score of a task is a mean of; empty if it is one number. A task counts once in every case."""
    grids: str
    """The grids that the models were selected from, in a sentence, where they differ; else empty."""
    notes: list[str]
    """What else should be known of the scores, in sentences: rows stored twice, other versions of the data."""
    baseline: str
    """The model that the others are compared with."""
    models: list[Model]
    """Best mean rank first."""
    omnibus: list[Omnibus]
    """Whether the models differ at all."""
    baseline_tests: list[BaselineTest]
    """The baseline against each model; none for a single model."""
    pair_tests: list[PairTest]
    """All pairs; none for a single model."""
    pairs: list[Pair]
    """Every pair once, best models first; none for a single model."""
    bayesian: Bayesian | None
    """Null for a single model."""
    win_rates: dict[str, dict[str, float | None]]
    """Share of tasks on which the first model scores higher than the second, a tie counting half."""
    resampling: Resampling
    """How the intervals were computed."""
    left_out: dict[str, str]
    """The reason for every task that was asked for and not compared."""
    models_left_out: dict[str, str]
    """The reason for every model that was not compared."""
    n_missing: dict[str, int]
    """Missing scores of the models that lack any, imputed ones included."""
    flags: dict[str, list[str]]
    """The flags of the compared tasks whose data the audit finds at fault."""
    sensitivity: Sensitivity | None
    """Null if no compared task is flagged, or all are."""
    printed: Printed | None
    """Null unless the paper prints this comparison and its convention is asked for."""
    scores: dict[str, dict[str, float | None]] = Field(description="Scores by task and model; null = missing.")
