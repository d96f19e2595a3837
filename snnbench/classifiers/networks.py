"""One scikit-learn classifier for each network.

A parameter has the name that it has in a grid of a config; the defaults are the classifiers' own. ``snnbench.models.networks``
describes the networks.
"""

from numpy.random import RandomState

from snnbench.classifiers.network_classifier import NetworkClassifier

RandomSeed = int | RandomState | None


class FullyConnectedClassifier(NetworkClassifier):
    """What the classifiers share whose networks differ in nothing that is set."""

    def __init__(
        self,
        n_layers: int = 8,
        n_units: int = 64,
        *,
        form: str = "rectangular",
        dropout_rate: float = 0.0,
        learning_rate: float = 0.01,
        n_epochs: int = 100,
        batch_size: int = 32,
        momentum: float = 0.0,
        l2: float = 0.0,
        standardise: bool = True,
        random_state: RandomSeed = None,
    ) -> None:
        """Set the parameters.

        Args:
            n_layers: Hidden layers.
            n_units: Units of the first hidden layer.
            form: ``"rectangular"``: all hidden layers of that width, or ``"conic"``: from it to the number of classes.
            dropout_rate: Share of the units that a step drops; alpha dropout in an SNN.
            learning_rate: Of stochastic gradient descent; what should be searched first.
            n_epochs: Passes over the rows; there is no early stopping.
            batch_size: Rows of a step.
            momentum: Of the update rule.
            l2: ``l2 / 2`` times the sum of the squared weights is added to the loss.
            standardise: Whether features are scaled to mean 0 and standard deviation 1 first, as these networks expect them.
            random_state: Of initial weights, orders of rows and dropout.
        """
        self.n_layers = n_layers
        self.n_units = n_units
        self.form = form
        self.dropout_rate = dropout_rate
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.momentum = momentum
        self.l2 = l2
        self.standardise = standardise
        self.random_state = random_state


class SNNClassifier(FullyConnectedClassifier):
    """Self-normalizing network: SELU, weights of variance 1/n, alpha dropout (Klambauer et al. 2017)."""

    network = "snn"


class MSRAInitClassifier(FullyConnectedClassifier):
    """ReLU network with the initialisation of He et al. (2015), without normalisation."""

    network = "msrainit"


class LayerNormClassifier(FullyConnectedClassifier):
    """ReLU network with layer normalisation (Ba et al. 2016)."""

    network = "layernorm"


class WeightNormClassifier(FullyConnectedClassifier):
    """ReLU network with weight normalisation (Salimans & Kingma 2016)."""

    network = "weightnorm"


class BatchNormClassifier(NetworkClassifier):
    """ReLU network with batch normalisation (Ioffe & Szegedy 2015)."""

    network = "batchnorm"

    def __init__(
        self,
        n_layers: int = 8,
        n_units: int = 64,
        *,
        form: str = "rectangular",
        dropout_rate: float = 0.0,
        placement: str = "before",
        decay: float = 0.9,
        eps: float = 1e-3,
        learning_rate: float = 0.01,
        n_epochs: int = 100,
        batch_size: int = 32,
        momentum: float = 0.0,
        l2: float = 0.0,
        standardise: bool = True,
        random_state: RandomSeed = None,
    ) -> None:
        """Set the parameters.

        Args:
            n_layers: Hidden layers.
            n_units: Units of the first hidden layer.
            form: ``"rectangular"``: all hidden layers of that width, or ``"conic"``: from it to the number of classes.
            dropout_rate: Share of the units that a step drops.
            placement: Of the normalisation: ``"before"`` ReLU or ``"after"`` it.
            decay: Of the running means that predict.
            eps: What is added to a variance.
            learning_rate: Of stochastic gradient descent; what should be searched first.
            n_epochs: Passes over the rows; there is no early stopping.
            batch_size: Rows of a step.
            momentum: Of the update rule.
            l2: ``l2 / 2`` times the sum of the squared weights is added to the loss.
            standardise: Whether features are scaled to mean 0 and standard deviation 1 first, as these networks expect them.
            random_state: Of initial weights, orders of rows and dropout.
        """
        self.n_layers = n_layers
        self.n_units = n_units
        self.form = form
        self.dropout_rate = dropout_rate
        self.placement = placement
        self.decay = decay
        self.eps = eps
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.momentum = momentum
        self.l2 = l2
        self.standardise = standardise
        self.random_state = random_state


class HighwayClassifier(NetworkClassifier):
    """Highway network: gates choose between a layer and its input (Srivastava et al. 2015)."""

    network = "highway"

    def __init__(
        self,
        n_layers: int = 8,
        n_units: int = 64,
        *,
        gate_bias: float = -1.0,
        dropout_rate: float = 0.0,
        learning_rate: float = 0.01,
        n_epochs: int = 100,
        batch_size: int = 32,
        momentum: float = 0.0,
        l2: float = 0.0,
        standardise: bool = True,
        random_state: RandomSeed = None,
    ) -> None:
        """Set the parameters.

        Args:
            n_layers: Highway layers.
            n_units: Their width, to which a plain ReLU layer leads; 0 for the number of features, without that layer.
            gate_bias: Initial bias of the gates; a negative one carries the input through.
            dropout_rate: Share of the transformed units that a step drops.
            learning_rate: Of stochastic gradient descent; what should be searched first.
            n_epochs: Passes over the rows; there is no early stopping.
            batch_size: Rows of a step.
            momentum: Of the update rule.
            l2: ``l2 / 2`` times the sum of the squared weights is added to the loss.
            standardise: Whether features are scaled to mean 0 and standard deviation 1 first, as these networks expect them.
            random_state: Of initial weights, orders of rows and dropout.
        """
        self.n_layers = n_layers
        self.n_units = n_units
        self.gate_bias = gate_bias
        self.dropout_rate = dropout_rate
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.momentum = momentum
        self.l2 = l2
        self.standardise = standardise
        self.random_state = random_state


class ResNetClassifier(NetworkClassifier):
    """Residual network (He et al. 2016)."""

    network = "resnet"

    def __init__(
        self,
        n_blocks: int = 4,
        n_units: int = 64,
        *,
        form: str = "rectangular",
        bottleneck: float = 0.25,
        dropout_rate: float = 0.0,
        normalisation: str = "batch",
        decay: float = 0.9,
        eps: float = 1e-3,
        learning_rate: float = 0.01,
        n_epochs: int = 100,
        batch_size: int = 32,
        momentum: float = 0.0,
        l2: float = 0.0,
        standardise: bool = True,
        random_state: RandomSeed = None,
    ) -> None:
        """Set the parameters.

        Args:
            n_blocks: Residual blocks.
            n_units: Width of the network.
            form: Of a block: ``"rectangular"``, 2 layers of that width, or ``"diavolo"``, 3 layers of which two are narrower.
            bottleneck: Their share of the width; of ``"diavolo"`` alone.
            dropout_rate: Share of the units within a block that a step drops.
            normalisation: ``"batch"`` after every layer, or ``"none"``.
            decay: Of the running means that predict.
            eps: What is added to a variance.
            learning_rate: Of stochastic gradient descent; what should be searched first.
            n_epochs: Passes over the rows; there is no early stopping.
            batch_size: Rows of a step.
            momentum: Of the update rule.
            l2: ``l2 / 2`` times the sum of the squared weights is added to the loss.
            standardise: Whether features are scaled to mean 0 and standard deviation 1 first, as these networks expect them.
            random_state: Of initial weights, orders of rows and dropout.
        """
        self.n_blocks = n_blocks
        self.n_units = n_units
        self.form = form
        self.bottleneck = bottleneck
        self.dropout_rate = dropout_rate
        self.normalisation = normalisation
        self.decay = decay
        self.eps = eps
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.momentum = momentum
        self.l2 = l2
        self.standardise = standardise
        self.random_state = random_state
