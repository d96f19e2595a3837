"""``snnbench figure 1|2|a8|moments``: the figures of the theory, and of single networks."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from snnbench.cli import completion
from snnbench.cli.machine import Device, choose_device
from snnbench.cli.output import FLAG, errors, results, write_text
from snnbench.display.wording import duration
from snnbench.errors import ConfigError
from snnbench.seeds import MAX_SEED

Output = Annotated[Path, typer.Option(metavar="FILE", help="File to write; its suffix says the format: .svg, .pdf, .png.")]


class Images(StrEnum):
    """What Figure 1 trains on."""

    mnist = "mnist"
    cifar10 = "cifar10"


class Preset(StrEnum):
    """How long Figure 1 trains: minutes on two cores, or the paper's 2000 epochs on all rows."""

    quick = "quick"
    paper = "paper"


def training_loss(
    output: Output,
    images: Annotated[Images, typer.Option(help="Images to train on.")] = Images.mnist,
    source: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder with the original files. Default: download.")
    ] = None,
    preset: Annotated[
        Preset, typer.Option(help="Quick: 2,560 rows, 10 epochs, at most 784 units. Paper: 2000 epochs.")
    ] = Preset.quick,
    depth: Annotated[
        list[int] | None, typer.Option(metavar="N", help="Hidden layers; may be repeated. Default: 8, 16, 32.", min=1)
    ] = None,
    rows: Annotated[int | None, typer.Option(metavar="N", help="Rows to train on instead; 0 for all.", min=0)] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Epochs instead.", min=1)] = None,
    learning_rate: Annotated[
        float, typer.Option(metavar="R", help="Of the mean loss: the default is the paper's 1e-5 on a summed one.")
    ] = 1.28e-3,
    seeds: Annotated[int, typer.Option(metavar="N", help="Networks of each kind, trained as one stack.", min=1)] = 1,
    device: Annotated[Device, typer.Option(help="Where networks are trained.")] = Device.auto,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Worker processes. Default: one per core.", min=1)] = None,
    table: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the numbers as CSV, too.")] = None,
) -> None:
    """Training loss of SELU networks against batch normalisation, at several depths (Figure 1 of the paper)."""
    from snnbench.execution.engines.local import n_cores
    from snnbench.paper.figures import training_loss as study
    from snnbench.paper.figures.images import locate_images

    _check_output(output)
    if not learning_rate > 0:
        raise ConfigError(f"--learning-rate must be above 0, found {learning_rate:g}.")
    files = locate_images(images.value, source, report=_say)
    chosen = choose_device(device)
    settings = study.resize(study.PRESETS[preset.value], rows, epochs)
    stacks = study.plan_stacks(images.value, files, settings, depth or study.DEPTHS, learning_rate, seeds, chosen)
    n_workers = workers or (1 if chosen == "cuda" else n_cores())
    losses = study.measure_losses(
        stacks, n_workers, lambda stack, seconds: _say(f"{stack.model}, {stack.depth} layers: {duration(seconds)}")
    )
    if table is not None:
        write_text(table, losses.to_csv(index=False, lineterminator="\n"), "--table")
    last = losses[losses["epoch"] == losses["epoch"].max()].groupby(["depth", "model"])["loss"].mean().unstack("model")
    results().print(f"Training loss in epoch {losses['epoch'].max()}:\n{last.to_string(float_format='{:.4g}'.format)}")
    title = f"{images.value.upper().replace('CIFAR10', 'CIFAR-10')}, learning rate {learning_rate:g}"
    _write(study.draw_losses(losses, title), output)


def vector_field(
    output: Output,
    omega: Annotated[float, typer.Option(metavar="X", help="ω, the sum of a unit's weights.")] = 0.0,
    tau: Annotated[float, typer.Option(metavar="X", help="τ, the sum of their squares.")] = 1.0,
) -> None:
    """The moment map as a vector field, with its fixed point (Figure 2 of the paper)."""
    from snnbench.paper.theory.vector_field import draw_vector_field

    _check_output(output)
    _write(draw_vector_field(omega, tau), output)


def network_inputs(
    output: Output,
    suite: Annotated[str, typer.Option(metavar="NAME", help="Suite of the task.", autocompletion=completion.suites)] = "core",
    task: Annotated[str, typer.Option(metavar="NAME", help="Task to train on.", autocompletion=completion.tasks)] = "waveform",
    source: Annotated[
        str | None,
        typer.Option(metavar="DIR|FILE|URL", help="Folder, archive or URL with the data. Default: the official URL."),
    ] = None,
    units: Annotated[int, typer.Option(metavar="N", help="Units of a hidden layer.", min=2)] = 256,
    layers: Annotated[int, typer.Option(metavar="N", help="Hidden layers.", min=2)] = 8,
    epochs: Annotated[int, typer.Option(metavar="N", help="Epochs of the training.", min=1)] = 40,
    learning_rate: Annotated[float, typer.Option(metavar="R", help="Of the mean loss.")] = 0.01,
    dropout_rate: Annotated[float, typer.Option(metavar="P", help="Of alpha dropout.", min=0, max=0.99)] = 0.05,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of weights, orders and dropout.", min=0, max=MAX_SEED)] = 0,
) -> None:
    """Density of the second layer's network inputs before and after training, against N(0, 1) (Figure A8 of the paper)."""
    from snnbench.paper.figures import network_inputs as study
    from snnbench.suites import open_source

    _check_output(output)
    if not learning_rate > 0:
        raise ConfigError(f"--learning-rate must be above 0, found {learning_rate:g}.")
    folder = open_source(suite, source, report=_say)
    training = study.Training(units, layers, learning_rate, dropout_rate, epochs, seed)
    inputs = study.measure_network_inputs(suite, task, folder, training)
    results().print(study.describe_normality(inputs).to_string(float_format="{:.4f}".format))
    title = f"{suite} {task}: SNN of {layers} layers, {units} units, {epochs} epochs"
    _write(study.draw_network_inputs(inputs, title), output)


def activation_moments(
    output: Output,
    activation: Annotated[str, typer.Option(metavar="NAME", help="As in `snnbench theory analyse`.")] = "selu",
    layers: Annotated[int, typer.Option(metavar="N", help="Layers.")] = 32,
    units: Annotated[int, typer.Option(metavar="N", help="Units of a layer, and features of the input.")] = 256,
    rows: Annotated[int, typer.Option(metavar="N", help="Rows of the input.")] = 2048,
    tau: Annotated[float, typer.Option(metavar="X", help="Sum of a unit's squared weights: 1 for SNNs, 2 for He et al.")] = 1.0,
    mean: Annotated[float, typer.Option(metavar="X", help="Mean of the input.")] = 0.0,
    variance: Annotated[float, typer.Option(metavar="X", help="Variance of the input.")] = 1.0,
    as_drawn: Annotated[
        bool, typer.Option("--as-drawn", metavar=FLAG, help="Leave the weights as they were drawn, with sums that are not 0.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of weights and input.", min=0, max=MAX_SEED)] = 0,
) -> None:
    """Mean and variance of the activations by layer, measured on a network and predicted by the moment map."""
    import sys

    from snnbench.paper.figures import activation_moments as study

    _check_output(output)
    sys.path.insert(0, "")  # a function of one's own lies where the command is typed
    network = study.Network(activation, layers, units, rows, tau, mean, variance, not as_drawn, seed)
    moments = study.measure_moments(network)
    last = moments.iloc[-1]
    results().print(
        f"Layer {int(last['layer'])}: mean {last['mean']:.4g} (map: {last['predicted_mean']:.4g}), "
        f"variance {last['variance']:.4g} (map: {last['predicted_variance']:.4g})",
        soft_wrap=True,
    )
    weights = "as drawn" if as_drawn else "normalised"
    _write(study.draw_moments(moments, f"{activation}, {units} units, τ = {tau:g}, weights {weights}"), output)


PAPER_FIGURES: dict[str, tuple[str, Callable[..., None]]] = {
    "1": ("Training loss of SELU networks against batch normalisation, at several depths (Figure 1).", training_loss),
    "2": ("The moment map of SELU as a vector field, with its fixed point (Figure 2).", vector_field),
    "a8": ("Network inputs of the second layer before and after training, against N(0, 1) (Figure A8).", network_inputs),
    "moments": ("Mean and variance of activations by layer, measured and predicted.", activation_moments),
}
"""The figures by name, with their descriptions."""


def _check_output(output: Path) -> None:
    """Refuse a file that could not be written before anything is trained for it."""
    from snnbench.figure_files import check_format

    check_format(output)
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"--output must be in a folder that exists, but {output.parent} does not. Make it first.")


def _write(chart: object, output: Path) -> None:
    from snnbench.figure_files import write_figure

    write_figure(chart, output)
    _say(f"Written to {output}")


def _say(message: str) -> None:
    errors().print(message, soft_wrap=True)
