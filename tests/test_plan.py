from dataclasses import replace
from typing import ClassVar

import pytest

from snnbench.cli.models import count_configs
from snnbench.config import ModelSettings, RunSettings, TrainingSettings, load_config, presets
from snnbench.errors import ConfigError
from snnbench.execution.gpu_stacks import gpu_cost
from snnbench.execution.plan import (
    MAX_STACK,
    MIN_CHUNK_SECONDS,
    Stored,
    evaluation_member,
    evaluation_seconds,
    make_jobs,
    plan_evaluation,
    plan_search,
    search_grid,
    search_member,
)
from snnbench.models.cost.network_cost import member_seconds
from snnbench.models.layers.padding import steps_class
from snnbench.models.layers.stacked import StackedLinear
from snnbench.models.registry import EXTRAS
from snnbench.records import Code, Compute
from snnbench.suites import SUITES, core
from snnbench.suites.loading import LoadedSuite
from snnbench.training.context import GpuUse, specify_run

TASKS = [task for task in core.tasks(None)[0] if task.name in ("iris", "waveform")]
SPLITS = {task.name: core.splits(task.name, None)[:1] for task in TASKS}
LOADED = LoadedSuite(tuple(TASKS), SPLITS, {})
SETTINGS = load_config("core", "quick")
SPEC = specify_run("core", LOADED, SETTINGS)


def plan(models=("snn",), stored=(), n_workers=1, **changes):
    arguments = {"loaded": LOADED, "settings": SETTINGS, **changes}
    return plan_search(specify_run("core", **arguments), models, Stored(set(stored)), n_workers)


def test_every_configuration_of_every_split_is_planned_once():
    found = plan(("snn", "svm"))
    assert len(found.members) == 2 * (12 + 12)
    assert found.n_evaluations == 4
    planned = [member.key for job in found.jobs for member in job.members]
    assert sorted(planned) == sorted(found.members)


@pytest.mark.parametrize(("model", "n_configs"), [("resnet", 135), ("highway", 36), ("batchnorm", 108)])
def test_configurations_that_make_the_same_network_are_planned_once(model, n_configs):
    found = plan((model,), settings=load_config("uci", "paper"), loaded=LoadedSuite(tuple(TASKS[:1]), SPLITS, {}))
    assert len(found.members) == n_configs
    assert len({member.config for member in found.members.values()}) == n_configs


def test_a_wrong_value_that_does_not_matter_is_still_refused():
    grid = {"n_units": 8, "n_blocks": 2, "form": "rectangular", "bottleneck": 2.0, "learning_rate": 0.1}
    with pytest.raises(ConfigError, match=r"bottleneck of resnet is 2\."):
        plan(("resnet",), settings=RunSettings(models={"resnet": ModelSettings(grid=grid)}))


def test_a_stack_has_one_shape_one_split_and_dropout_apart():
    for job in plan(("snn", "msrainit")).jobs:
        shapes = {(m.task, m.split, m.config.model, m.config["n_units"], m.config["n_layers"]) for m in job.members}
        assert len(shapes) == 1
        assert len({m.config["dropout_rate"] > 0 for m in job.members}) == 1
        assert 1 < len(job.members) <= MAX_STACK


ACROSS = Compute(stacking="across-tasks")


def test_a_stack_across_tasks_has_one_shape_class():
    names = ("iris", "wine", "monks-1", "waveform")
    tasks = [task for task in core.tasks(None)[0] if task.name in names]
    loaded = LoadedSuite(tuple(tasks), {task.name: core.splits(task.name, None)[:2] for task in tasks}, {})
    found = plan(("snn", "batchnorm", "svm"), loaded=loaded, compute=ACROSS)
    assert sorted(m.key for job in found.jobs for m in job.members) == sorted(found.members)
    stacks = [job for job in found.jobs if job.members[0].config.model != "svm"]
    for job in stacks:
        assert len({(m.config.model, m.config["n_units"], m.config["n_layers"]) for m in job.members}) == 1
        assert len({m.config.get("dropout_rate", 0) > 0 for m in job.members}) == 1
        n_train = {len(loaded.splits[m.task][int(m.split[-1]) - 1].train) for m in job.members}
        assert len({n < 128 for n in n_train}) == 1  # one step an epoch, or several
    assert max(len({(m.task, m.split) for m in job.members}) for job in stacks) >= 4
    assert any({m.task for m in job.members} >= {"iris", "wine"} for job in stacks)


def test_a_gpu_gets_larger_stacks_with_dropout_among_them():
    cpu, gpu = (plan(compute=Compute(device, stacking="across-tasks")).jobs for device in ("cpu", "cuda"))
    assert len(gpu) < len(cpu)
    assert any(len({m.config["dropout_rate"] > 0 for m in job.members}) == 2 for job in gpu)


def test_a_network_that_cannot_be_padded_keeps_to_its_task():
    settings = RunSettings(models={"mine": ModelSettings(network=f"{__name__}.NotPadded", grid={"learning_rate": [0.1, 0.2]})})
    found = plan(("mine",), settings=settings, compute=ACROSS)
    assert all(len({member.task for member in job.members}) == 1 for job in found.jobs)


class NotPadded(StackedLinear):
    """A linear network that promises nothing of padding."""

    hyperparameters: ClassVar = {"learning_rate": float}

    def __init__(self, configs, n_features, n_outputs):
        super().__init__(len(configs), n_features, n_outputs, gain=1)


@pytest.mark.parametrize("other", [Compute(precision="bfloat16"), ACROSS, Compute("cuda")])
def test_the_last_digits_are_part_of_a_networks_key_and_not_of_an_estimators(other):
    networks, estimators = (
        [set(plan((model,), compute=compute).members) for compute in (Compute(), other)] for model in ("snn", "svm")
    )
    assert networks[0].isdisjoint(networks[1])
    assert estimators[0] == estimators[1]


def test_what_is_stored_is_not_planned_again():
    whole = plan()
    some = list(whole.members)[:5]
    rest = plan(stored=some)
    assert rest.n_stored == 5
    assert {m.key for job in rest.jobs for m in job.members} == set(whole.members) - set(some)
    assert plan(stored=whole.members).jobs == ()


def test_rows_of_accepted_code_are_planned_as_they_are_stored():
    config = next(iter(plan().members.values())).config
    old = Code("snn", "", "torch 2.0")
    by_old = search_member(SPEC, TASKS[0].name, "repetition-1", config, old)
    assert by_old.key not in plan(stored=[by_old.key]).members
    members = plan_search(SPEC, ("snn",), Stored({by_old.key}, {"snn": [old]})).members
    assert members[by_old.key] == by_old
    assert len(members) == len(plan(("snn",)).members)


def test_longest_jobs_come_first():
    seconds = [job.seconds for job in plan(("snn", "msrainit", "random_forest", "svm")).jobs]
    assert seconds == sorted(seconds, reverse=True)
    assert min(seconds) > 0


def test_a_key_depends_on_what_the_numbers_depend_on():
    task, where = TASKS[0], (TASKS[0].name, "repetition-1")
    config = next(iter(plan().members.values())).config
    slower = SETTINGS.model_copy(update={"training": TrainingSettings(batch_size=64)})
    member = search_member(SPEC, *where, config)
    others = [
        search_member(replace(SPEC, tasks={task.name: replace(task, sha256="other data")}), *where, config),
        search_member(SPEC, task.name, "repetition-2", config),
        search_member(SPEC, *where, replace(config, values=(*config.values[1:], ("n_units", 1)))),
        search_member(replace(SPEC, settings=slower), *where, config),
        search_member(replace(SPEC, seed=1), *where, config),
        search_member(replace(SPEC, compute=Compute("cuda")), *where, config),
        evaluation_member(SPEC, member, 100, 0),
    ]
    assert len({member.key, *(other.key for other in others)}) == 8
    other_grid = replace(SPEC, settings=load_config("core", "paper"))
    assert search_member(other_grid, *where, config).key == member.key  # the same training


def test_how_networks_are_trained_does_not_touch_estimators():
    config = next(m.config for m in plan(("svm",)).members.values())
    slower = SETTINGS.model_copy(update={"training": TrainingSettings(batch_size=64)})
    specs = SPEC, replace(SPEC, settings=slower, compute=Compute("cuda"))
    one, other = (search_member(spec, TASKS[0].name, "repetition-1", config).key for spec in specs)
    assert one == other


def test_evaluations_train_to_the_stopping_epoch():
    whole = plan()
    chosen = dict(zip(whole.members, (17, 42), strict=False))
    jobs = plan_evaluation(SPEC, whole, chosen, Stored())
    found = {(member.config, member.n_epochs) for job in jobs for member in job.members}
    assert found == {(whole.members[key].config, epoch) for key, epoch in chosen.items()}
    assert {job.stage for job in jobs} == {"evaluate"}
    stored = {member.key for job in jobs for member in job.members}
    assert plan_evaluation(SPEC, whole, chosen, Stored(stored)) == ()


def test_further_seeds_repeat_the_final_training_only():
    whole = plan()
    key = next(iter(whole.members))
    jobs = plan_evaluation(SPEC, whole, {key: 17}, Stored(), n_seeds=3)
    members = [member for job in jobs for member in job.members]
    assert sorted(member.seed for member in members) == [0, 1, 2]
    assert {(member.config, member.n_epochs) for member in members} == {(whole.members[key].config, 17)}
    assert len({member.key for member in members}) == 3


def test_short_estimator_fits_share_a_job():
    members = [m for m in plan(("svm",)).members.values() if m.task == "iris"]
    assert len(make_jobs(SPEC, "search", members)) == 1


@pytest.mark.parametrize(("n_workers", "longest"), [(1, 5.0), (2, 2.5), (64, MIN_CHUNK_SECONDS)])
def test_the_grid_of_a_task_is_spread_over_the_workers(n_workers, longest, monkeypatch):
    members = [m for m in plan(("svm",)).members.values() if m.task == "waveform"]
    monkeypatch.setattr("snnbench.execution.plan._seconds", lambda members, *others: 5 / 3)  # 20 seconds for the grid of 12
    jobs = make_jobs(SPEC, "search", members, n_workers)
    n_fits = max(1, int(longest / (5 / 3)))
    assert [len(job.members) for job in jobs] == [n_fits] * (12 // n_fits)
    assert all(job.seconds == pytest.approx(5 / 3 * n_fits) for job in jobs)


def test_a_growing_ensemble_stays_in_one_job_and_costs_what_its_largest_does():
    forest = SETTINGS.models["random_forest"].model_copy(update={"grid": {"n_estimators": [50, 100, 500], "max_depth": [1, 2]}})
    settings = SETTINGS.model_copy(update={"models": {"random_forest": forest}})
    found = plan(("random_forest",), settings=settings, n_workers=64)
    for depth in (1, 2):
        for task in TASKS:
            (job,) = [j for j in found.jobs for m in j.members if (m.task, m.config["max_depth"], m.config["n_estimators"]) ==
                      (task.name, depth, 500)]  # fmt: skip
            sizes = [m.config["n_estimators"] for m in job.members if m.config["max_depth"] == depth]
            assert sizes == [50, 100, 500]
    largest = [m.config for m in found.members.values() if m.config["n_estimators"] == 500]
    alone = sum(member_seconds([c], forest, TASKS[0], 100, 0, SETTINGS.training) for c in largest[:1])
    whole = member_seconds([c for c in (m.config for m in found.members.values()) if c["max_depth"] == 1][:3],
                           forest, TASKS[0], 100, 0, SETTINGS.training)  # fmt: skip
    assert alone <= whole < 1.2 * alone


@pytest.mark.parametrize("model", ["snn", "random_forest", "svm"])
def test_estimates_grow_with_the_work(model):
    config = next(m.config for m in plan((model,)).members.values())
    table = SETTINGS.models[model]
    seconds = [member_seconds([config], table, TASKS[0], n, 100, SETTINGS.training) for n in (100, 1000, 10_000)]
    assert seconds[0] < seconds[1] < seconds[2]


def test_two_names_of_one_class_keep_their_own_grids():
    forest = SETTINGS.models["random_forest"]
    models = {name: forest.model_copy(update={"grid": {"n_estimators": sizes}}) for name, sizes in
              (("small", [10, 100]), ("big", [100, 500]))}  # fmt: skip
    found = plan(tuple(models), settings=SETTINGS.model_copy(update={"models": models}))
    for name in models:
        assert sum(m.config.model == name for m in found.members.values()) == 2 * len(TASKS)


def test_the_evaluations_that_follow_a_search_are_a_part_of_the_estimate():
    spec = specify_run("core", LOADED, SETTINGS)
    once, thrice = (evaluation_seconds(spec, plan(("snn", "svm")), n) for n in (1, 3))
    assert 0 < once < thrice < 3.5 * once
    found = plan(("snn",))
    assert evaluation_seconds(spec, found, 1) < found.seconds
    assert evaluation_seconds(spec, plan(("snn",), stored=found.members), 3) == 0  # they may be stored, too


def test_fused_kernels_are_part_of_a_networks_key_and_stacks_at_once_are_not():
    compute = Compute("cuda", "tf32", "across-tasks")
    plain, at_once, fused = (
        set(plan(("snn",), compute=compute, gpu=gpu).members) for gpu in (GpuUse(), GpuUse(n_at_once=4), GpuUse("fused"))
    )
    assert plain == at_once
    assert plain.isdisjoint(fused)


def test_on_a_gpu_tasks_join_a_stack_where_the_model_says_that_it_is_faster():
    """Three networks for each task: a step of few takes what one of many takes, so that they wait for each other."""
    compute = Compute("cuda", "tf32", "across-tasks")
    tasks = tuple(task for task in core.tasks(None)[0] if task.name in ("twonorm", "waveform"))
    loaded = LoadedSuite(tasks, {task.name: core.splits(task.name, None)[:1] for task in tasks}, {})
    spec = specify_run("core", loaded, SETTINGS, compute)
    found = plan(("snn",), compute=compute, loaded=loaded)
    tasks_of = [{member.task for member in job.members} for job in found.jobs]
    assert {steps_class(loaded.n_train[task.name, "repetition-1"], 128) for task in tasks} == {24, 48}
    assert {"twonorm", "waveform"} in tasks_of
    apart = [
        [m for m in job.members if m.task == name] for job, names in zip(found.jobs, tasks_of, strict=True) for name in names
    ]
    assert sum(job.seconds for job in found.jobs) < sum(gpu_cost(part, spec).seconds for part in apart)
    assert sorted(member.key for job in found.jobs for member in job.members) == sorted(found.members)
    assert [job.seconds for job in found.jobs] == sorted(
        (gpu_cost(job.members, spec).seconds for job in found.jobs), reverse=True
    )


@pytest.mark.parametrize("suite", SUITES)
def test_the_list_of_models_counts_what_a_search_trains(suite):
    for preset in presets(suite):
        for name, table in load_config(suite, preset).models.items():
            if str(table.estimator).partition(".")[0] not in EXTRAS:  # packages that may be missing
                assert count_configs(name, table) == len(search_grid(name, table)), (preset, name)
