"""Score tables from textbooks, which several tests compare with."""

import pandas as pd

# Demšar, JMLR 7 (2006), Table 6: AUC of C4.5 with and without pruning (-m) and tuning (-cf) on 14 tasks.
# He ranks voting 4, 1, 2, 3 although it prints 0.975 twice, so one of the two has a digit more here.
DEMSAR = pd.DataFrame(
    {
        "c45": [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957],
        "c45_m": [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978],
        "c45_cf": [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946],
        "c45_m_cf": [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970],
    }
)

# Sachs, "Angewandte Statistik" (1997), p. 675, as in the vignette of R's PMCMR: six persons, six diuretics.
SACHS = pd.DataFrame(
    {
        "A": [3.88, 5.64, 5.76, 4.25, 5.91, 4.33],
        "B": [30.58, 30.14, 16.92, 23.19, 26.74, 10.91],
        "C": [25.24, 33.52, 25.45, 18.85, 20.45, 26.67],
        "D": [4.44, 7.94, 4.04, 4.4, 4.23, 4.36],
        "E": [29.41, 30.72, 32.92, 28.23, 23.35, 12],
        "F": [38.87, 33.12, 39.15, 28.06, 38.23, 26.65],
    }
)
