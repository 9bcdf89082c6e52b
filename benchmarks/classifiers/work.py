"""What the study does, and where all of it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ose
from benchmarks.classifiers import hand_picked
from benchmarks.classifiers.judged import Part, hits, read_part
from benchmarks.classifiers.sizes import CHOICE, RIVALS, StudySizes
from benchmarks.classifiers.task_search import (
    best_layers,
    choose,
    job_content,
    searched,
    shape_of,
    single,
)
from benchmarks.classifiers.teachers import bag_of_words, judged_teacher, make_teacher
from benchmarks.classifiers.turns import ShapeTimer, Timer
from benchmarks.classifiers.units import Results
from ose.families.counts import counts_of

_BY_HAND = dict(
    zip(
        RIVALS,
        (hand_picked.half_depth, hand_picked.half_depth, hand_picked.narrow_and_deep, hand_picked.wide_and_shallow),
        strict=True,
    )
)
_LAYERS = dict(zip(RIVALS, ("distilbert", "best", None, None), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Where everything lies, and what units do there.

    Attributes:
        splits: Folder of the parts that `splits.py` wrote.
        text: Of the language model's search.
        output: Of all results.
        timer_of: Makes what tells the share of a teacher's latency that shapes have, from its directory, a length and
            a number of rounds.
    """

    sizes: StudySizes
    splits: Path
    encoder: Path
    text: Path
    output: Path
    results: Results
    workspace: ose.Workspace
    timer_of: Callable[[Path, int, int], Timer] = ShapeTimer

    def teacher_folder(self, task: str) -> Path:
        """Of a task."""
        return self.output / "teachers" / task

    def part(self, task: str, name: str) -> Part:
        """`train`, `validation` or `official`."""
        return read_part(self.splits / task / f"{name}.csv", self.sizes.tasks[task])

    def num_rows(self, task: str, name: str) -> int:
        """Of a part."""
        return len(self.part(task, name).labels)

    def content(self, task: str, **changes: Any) -> dict[str, Any]:
        """A job of a task."""
        return job_content(self.teacher_folder(task), self.splits / task, self.sizes.tasks[task], self.sizes, **changes)

    def teacher(self, task: str) -> dict[str, Any]:
        """Fine-tune it, and judge it."""
        folder, sizes = self.teacher_folder(task), self.sizes.tasks[task]
        found = make_teacher(self.workspace, self.encoder, self.splits / task, sizes, folder)
        return found if sizes.columns.text_pair else found | judged_teacher(folder, self.part(task, "validation"))

    def bag(self, task: str) -> dict[str, Any]:
        """Count words in its place."""
        parts = {"validation": self.part(task, "validation")}
        return bag_of_words(self.teacher_folder(task), self.part(task, "train"), parts)

    def search(self, task: str) -> dict[str, Any]:
        """The whole space, with reference rows on its board."""
        return searched(self.workspace, f"{task} search", self.content(task, references="on"))

    def layers(self, task: str) -> dict[str, Any]:
        """The best layers of a student of half depth."""
        depth: int = self.results[f"{task}/search"]["teacher"]["num_hidden_layers"]
        return best_layers(self.workspace, f"{task} layers", self.content(task), depth // 2)

    def timer(self, task: str) -> Timer:
        """Of the shapes that a task's students might have."""
        return self.timer_of(self.teacher_folder(task), self.sizes.latency_tokens, self.sizes.rounds)

    def choice(self, task: str, target: float) -> dict[str, Any]:
        """The search's, within a share of the teacher's latency."""
        timer = self.timer(task)
        return {**choose(self.results[f"{task}/search"], target, timer.share), "timed": timer.told()}

    def rival(self, task: str, target: str, name: str) -> dict[str, Any]:
        """A student picked by hand at the choice's latency, as a candidate of a job of its own."""
        search, timer = self.results[f"{task}/search"], self.timer(task)
        wanted = self.results[f"{task}/{target}/{CHOICE}"]["share"]
        facts = self.workspace.job(search["job"]).teacher
        shape = _BY_HAND[name](facts.architecture, wanted, timer.share, counts_of(facts), self.sizes.width_step)
        kept = self.results[f"{task}/layers"]["layers"] if _LAYERS[name] == "best" else _LAYERS[name]
        found = searched(self.workspace, f"{task} {target} {name}", self.content(task, space=single(shape, kept)))
        [row] = found["candidates"]
        return {**row, "job": found["job"], "share": timer.share(shape), "timed": timer.told()}

    def student(self, task: str, candidate: dict[str, Any], seed: int, steps: int) -> dict[str, Any]:
        """Distil a candidate fully by the preset `task`, and judge it on the validation part."""
        changes = {"steps": steps, "batch_size": 32, "seed": seed, "checkpoint_every": 200, "evaluate_every": 500}
        number = candidate["candidate"]
        result = self.workspace.distill(candidate["job"], candidate=number, changes=changes).result
        assert result is not None
        return {
            "folder": result.student_path,
            "steps": result.num_steps,
            "wall_time_s": result.wall_time_s,
            "loss_nats": result.loss_nats,
            "loss_stderr_nats": result.loss_stderr_nats,
            "item_losses_nats": [round(loss, 5) for loss in result.sequence_losses_nats],
            "hits": hits(Path(result.student_path), self.teacher_folder(task), self.part(task, "validation")),
        }

    def distil(self, task: str, place: str, seed: int, steps: int) -> dict[str, Any]:
        """The student whose candidate is told at a place."""
        return self.student(task, self.results[place], seed, steps)

    def few_steps(self, task: str) -> dict[str, Any]:
        """The shapes whose order is told, after fewer steps."""
        search = {**self.content(task)["search"], "steps": self.sizes.few_steps}
        return searched(
            self.workspace, f"{task} order", self.content(task, space=dict(self.sizes.order_space), search=search)
        )

    def ordered(self, task: str, index: int) -> dict[str, Any]:
        """One of them, distilled fully."""
        search = self.results["order/search"]
        row = search["candidates"][index]
        return {**row, **self.student(task, {**row, "job": search["job"]}, 0, self.sizes.distillation_steps)}

    def language_search(self) -> dict[str, Any]:
        """The same shapes, ranked by how near they come to the language model."""
        length = self.sizes.language_length
        content = {
            "teacher": {"model": str(self.encoder)},
            "corpus": {"train": [str(self.text)], "sequence_length": length},
            "space": dict(self.sizes.order_space),
            "search": {
                "steps": self.sizes.few_steps,
                "held_out_sequences": self.sizes.language_held_out,
                "keep_checkpoints": 0,
            },
            "latency": {"sequence_length": length, "max_attempts": 1},
        }
        return searched(self.workspace, "language search", content)

    def language_choice(self, by: str) -> dict[str, Any]:
        """The choice of one of the two searches, as a candidate of the task's."""
        task, share = self.sizes.order_task, self.sizes.tasks[self.sizes.order_task].targets[self.sizes.order_target]
        search = self.results["order/search"]
        ranked = search if by == "task" else self._ranked_by_language(search)
        return {**choose(ranked, share, self.timer(task).share), "job": search["job"]}

    def _ranked_by_language(self, search: dict[str, Any]) -> dict[str, Any]:
        losses = {shape_of(row): row["loss_nats"] for row in self.results["language/search"]["candidates"]}
        rows = [{**row, "loss_nats": losses[shape_of(row)]} for row in search["candidates"]]
        return {**search, "candidates": rows}
