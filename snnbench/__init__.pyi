from snnbench.api import compare as compare
from snnbench.api import load_results as load_results
from snnbench.api import load_task as load_task
from snnbench.api import plan as plan
from snnbench.api import run as run
from snnbench.api import score_table as score_table
from snnbench.classifiers import BatchNormClassifier as BatchNormClassifier
from snnbench.classifiers import HighwayClassifier as HighwayClassifier
from snnbench.classifiers import LayerNormClassifier as LayerNormClassifier
from snnbench.classifiers import MSRAInitClassifier as MSRAInitClassifier
from snnbench.classifiers import ResNetClassifier as ResNetClassifier
from snnbench.classifiers import SNNClassifier as SNNClassifier
from snnbench.classifiers import StackedSearchCV as StackedSearchCV
from snnbench.classifiers import WeightNormClassifier as WeightNormClassifier
from snnbench.errors import SnnbenchError as SnnbenchError

__version__: str
