"""Numbers of other tools and papers that no other file here has."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from snnbench.results.published import load_published
from snnbench.stats import mean_ranks, resolve_missing, wilcoxon
from snnbench.stats.effects import rank_biserial

# "Do we Need Hundreds of Classifiers to Solve Real World Classification Problems?", JMLR 15 (2014), Table 4: Friedman ranks of
# 179 classifiers on 121 tasks; "_t" of the paper is "_caret" here. A missing accuracy is the task's mean there.
FERNANDEZ_DELGADO = {
    "parRF_caret": 32.9,
    "rf_caret": 33.1,
    "svm_C": 36.8,
    "svmPoly_caret": 38.0,
    "rforest_R": 39.4,
    "elm_kernel_matlab": 39.6,
    "svmRadialCost_caret": 40.3,
    "svmRadial_caret": 42.5,
    "C5.0_caret": 42.9,
    "avNNet_caret": 44.1,
    "nnet_caret": 45.5,
    "pcaNNet_caret": 47.0,
    "Bagging_LibSVM_weka": 47.1,
    "mlp_caret": 47.3,
}
# pingouin 0.5, documentation of pingouin.wilcoxon: W-val 20.5, p-val 0.285765, RBC -0.378788.
PINGOUIN_X = [20, 22, 19, 20, 22, 18, 24, 20, 19, 24, 26, 13]
PINGOUIN_Y = [38, 37, 33, 29, 14, 12, 20, 22, 17, 25, 26, 16]


def test_the_ranks_of_179_classifiers_are_those_of_their_paper():
    imputed, _, _ = resolve_missing(load_published("delgado2014"), "impute")
    ranks = mean_ranks(imputed).sort_values()
    assert list(ranks.index[: len(FERNANDEZ_DELGADO)]) == list(FERNANDEZ_DELGADO)
    assert ranks.head(len(FERNANDEZ_DELGADO)).to_dict() == pytest.approx(FERNANDEZ_DELGADO, abs=0.06)


def test_the_wilcoxon_example_of_pingouin():
    scores = pd.DataFrame({"x": PINGOUIN_X, "y": PINGOUIN_Y}, dtype=float)
    differences = scores["x"] - scores["y"]
    assert rank_biserial(differences.to_numpy()) == pytest.approx(-0.378788, abs=1e-6)
    found = wilcoxon(scores, "x", alternative="two-sided", correction="none", zero_method="wilcox")
    assert found.statistic[1] == 20.5
    # pingouin's 0.285765 is SciPy's normal approximation with a correction for continuity; ours is counted, ties and all.
    assert found.pvalue[1] == pytest.approx(_by_enumeration(differences[differences != 0].to_numpy()), abs=1e-12)
    assert found.pvalue[1] == pytest.approx(0.285765, abs=0.01)


def _by_enumeration(differences: np.ndarray) -> float:
    """Return how many of all signs give as small a sum of ranks."""
    ranks = rankdata(abs(differences))
    sums = np.array([np.dot(signs, ranks) for signs in product((0, 1), repeat=len(ranks))])
    smaller = np.minimum(sums, ranks.sum() - sums)
    return float((smaller <= min(ranks @ (differences > 0), ranks @ (differences < 0))).mean())
