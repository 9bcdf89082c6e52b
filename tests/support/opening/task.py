"""What workers run of the task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from opening.items import Items, OpeningData, answers_in, distances
from opening.rules import RULES
from ose.core.job import Job
from ose.core.measurement import Metric, TeacherQuality, mean_and_stderr, metric_of
from ose.core.messages import CalibrationRequest, DataRequest, DataSpan, DataSummary, TargetsRequest
from ose.core.recipe import DistillationSpec, Precision
from ose.data.corpus import pack_corpus
from ose.data.epochs import rows_of_step
from ose.data.search_spans import ONE_SPAN, Span
from ose.data.training_text import packed_text
from ose.tasks import loading
from ose.tasks.base import Examples, HeldOutQuality, StepBatches, Task
from ose.tasks.probes import TEXTS, Inputs, encoded
from ose.training.precision import autocast


@dataclass(frozen=True, slots=True)
class Opened:
    states: torch.Tensor
    layer_states: Sequence[torch.Tensor]
    answers: torch.Tensor
    attention_mask: None = None


class Opening:
    rules = RULES
    model_class = AutoModelForMaskedLM
    load_tokenizer = staticmethod(loading.load_tokenizer)

    def load_teacher(self, path: str | Path, digest: str | None = None) -> PreTrainedModel:
        return loading.load_model(AutoModelForMaskedLM, path, digest, RULES)

    def prepare(self, request: DataRequest) -> DataSummary:
        folder = Path(request.folder)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {"train": request.num_sequences, "validation": request.held_out_sequences}
        for side, count in wanted.items():
            if count and not (folder / f"{side}.safetensors").exists():
                self._packed(request, side, count).save(folder / f"{side}.safetensors")
        counts = [len(Items.load([folder / f"{side}.safetensors"]).kinds) if n else 0 for side, n in wanted.items()]
        return DataSummary(num_sequences=counts[0], held_out_sequences=counts[1])

    def compute_targets(self, request: TargetsRequest, teacher: PreTrainedModel) -> TeacherQuality | None:
        folder = Path(request.folder)
        if request.shard is None:
            return self._judge_teacher(folder, teacher)
        file = folder / f"answers-{request.shard:05d}.npy"
        if not file.exists():
            items = Items.load([folder / "train.safetensors"]).take(torch.arange(request.first, request.last))
            np.save(file, self.outputs(teacher, items).cpu().numpy())
        return None

    def load_data(self, folder: Path, later: Sequence[DataSpan] = ()) -> OpeningData:
        folders = [folder, *(Path(span.folder) for span in later)]
        trains = [Items.load([each / "train.safetensors"]) for each in folders]
        first_rows = accumulate(len(each.kinds) for each in trains)
        shards = [shard for each in folders for shard in sorted(each.glob("answers-*.npy"))]
        return OpeningData(
            train=Items.load([each / "train.safetensors" for each in folders]),
            answers=torch.from_numpy(np.concatenate([np.load(shard) for shard in shards])),
            held_out=Items.load([folder / "validation.safetensors"]),
            held_out_answers=torch.from_numpy(np.load(folder / "held-out.npy")),
            spans=(*ONE_SPAN, *(Span(span.first_step, row) for span, row in zip(later, first_rows, strict=False))),
        )

    def on_device(self, data: OpeningData, device: torch.device) -> OpeningData:
        return OpeningData(
            data.train.to(device), data.answers.to(device), data.held_out.to(device), data.held_out_answers.to(device),
            data.spans,
        )  # fmt: skip

    def loss(
        self, student: PreTrainedModel, data: OpeningData, rows: torch.Tensor, precision: Precision
    ) -> torch.Tensor:
        with autocast(student.device, precision):
            answers = answers_in(student(input_ids=data.train.input_ids[rows]).logits)
        return distances(data.answers[rows], answers).mean()

    def judge(
        self, student: PreTrainedModel, data: OpeningData, num_items: int | None, precision: Precision
    ) -> torch.Tensor:
        held_out, expected = data.held_out, data.held_out_answers[:num_items].to(student.device)
        with torch.inference_mode(), autocast(student.device, precision):
            answers = answers_in(student(input_ids=held_out.input_ids[:num_items].to(student.device)).logits)
        return torch.stack([distances(expected, answers), *self._figures(answers, expected, held_out)])

    def quality_of(self, judged: torch.Tensor, data: OpeningData) -> HeldOutQuality:
        losses, right, agrees, varieties, true_varieties = judged.tolist()
        return HeldOutQuality.of(losses, self._metrics(right, agrees, varieties, true_varieties))

    def held_out_losses(
        self, data: OpeningData, rows: torch.Tensor, device: torch.device
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        expected = data.held_out_answers[rows].to(device)
        return lambda outputs: distances(expected, answers_in(outputs))

    def sample(self, request: CalibrationRequest, teacher: PreTrainedModel) -> Items:
        return self._packed(request, "train", request.num_sequences)

    def outputs(self, model: PreTrainedModel, examples: Examples) -> torch.Tensor:
        with torch.inference_mode():
            return answers_in(model(input_ids=examples.input_ids.to(model.device)).logits)

    def distance(self, teacher_outputs: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        return distances(teacher_outputs, outputs).mean()

    def step_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        text = packed_text(job, tokenizer, folder)

        def batches(step: int) -> list[tuple[Items, float]]:
            [(_, rows)] = rows_of_step((len(text),), spec, step)
            parts = torch.from_numpy(text[rows].astype(np.int64)).split(spec.micro_batch_size)
            return [(Items.of(part, tokenizer), len(part) / len(rows)) for part in parts]

        return batches

    def general_batches(
        self, job: Job, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase, folder: Path
    ) -> StepBatches:
        return self.step_batches(job, spec, tokenizer, folder)

    def encode(self, model: PreTrainedModel, batch: Items, *, all_layers: bool) -> Opened:
        output = model(input_ids=batch.input_ids.to(model.device), output_hidden_states=True)
        layers = output.hidden_states if all_layers else ()
        return Opened(output.hidden_states[-1], layers, answers_in(output.logits))

    def output_losses(
        self, student: Opened, teacher: Callable[[], Opened], batch: Items, spec: DistillationSpec
    ) -> Mapping[str, torch.Tensor]:
        losses = {}
        if spec.weights.soft_targets:
            losses["soft_targets"] = distances(teacher().answers, student.answers).mean()
        if spec.weights.masked_lm:  # against what is true
            losses["masked_lm"] = F.cross_entropy(student.answers[:, :2], batch.kinds.to(student.answers.device))
        return losses

    def card(self, manifest: Mapping[str, Any]) -> str:
        accuracy = manifest["student"]["metrics"]["accuracy"]["value"]
        return f"---\npipeline_tag: {RULES.pipeline_tag}\n---\n{accuracy:.1%} of the kinds right\n"

    def probes(self, tokenizer: PreTrainedTokenizerBase) -> list[Inputs]:
        return [encoded(tokenizer, [text]) for text in TEXTS]

    def predict(self, folder: Path, text: str, count: int) -> list[tuple[str, float]]:
        encoded = self.load_tokenizer(folder)(text, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            answers = answers_in(self.load_teacher(folder)(**encoded).logits)[0, :2].softmax(-1).tolist()
        return sorted(zip(("plain", "bracketed"), answers, strict=True), key=lambda each: -each[1])[:count]

    def _packed(self, request: DataRequest | CalibrationRequest, side: Any, count: int) -> Items:
        tokenizer = self.load_tokenizer(request.teacher.path, request.teacher.digest)
        seed = getattr(request, "seed", 0)
        text = pack_corpus(request.corpus, request.corpus_spec, tokenizer, side, num_sequences=count, seed=seed)
        return Items.of(torch.from_numpy(text.astype(np.int64)), tokenizer)

    def _judge_teacher(self, folder: Path, teacher: PreTrainedModel) -> TeacherQuality:
        items = Items.load([folder / "validation.safetensors"])
        answers = self.outputs(teacher, items).cpu()
        if not (folder / "held-out.npy").exists():
            np.save(folder / "held-out.npy", answers.numpy())
        figures = [each.tolist() for each in self._figures(answers, answers, items)]
        entropies = tuple(distances(answers, answers).tolist())
        quality = TeacherQuality(
            entropy_nats=mean_and_stderr(entropies)[0],
            entropy_stderr_nats=mean_and_stderr(entropies)[1],
            metrics=self._metrics(*figures),
            num_targets=len(entropies),
            sequence_entropies_nats=entropies,
        )
        (folder / "teacher.json").write_text(json.dumps(asdict(quality)))
        return quality

    def _figures(self, answers: torch.Tensor, expected: torch.Tensor, items: Items) -> tuple[torch.Tensor, ...]:
        kinds, varieties = (each[: len(answers)].to(answers.device) for each in (items.kinds, items.varieties))
        kind = answers[:, :2].argmax(-1)
        return (kind == kinds).float(), (kind == expected[:, :2].argmax(-1)).float(), answers[:, 2], varieties

    def _metrics(
        self, right: list[float], agrees: list[float], varieties: list[float], true_varieties: list[float]
    ) -> dict[str, Metric]:
        """The last is no mean over items."""
        correlation = float(np.corrcoef(varieties, true_varieties)[0, 1]) if np.ptp(varieties) else 0.0
        return {
            "accuracy": metric_of(right),
            "agreement": metric_of(agrees),
            "pearson": Metric(value=correlation, stderr=None),
        }


TASK: Task = Opening()
