"""Distillations and exports under their JSON names; where their files lie is the server's business."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ose.core.exports import Export
from ose.core.former_names import former_result
from ose.core.job import Distillation, DistillationResult
from ose.core.plain import plain


def distillation_json(distillation: Distillation) -> dict[str, Any]:
    """A distillation; its result once it has one."""
    failure, result = distillation.failure, distillation.result
    return {
        "id": distillation.id,
        "job": distillation.job_id,
        "candidate": distillation.candidate_number,
        "status": distillation.status,
        "created_at": distillation.created_at,
        "finished_at": distillation.finished_at,
        "spec": asdict(distillation.spec),
        "result": _result(result) if result else None,
        "error": {"code": failure.code, "message": failure.message} if failure else None,
    }


def _result(result: DistillationResult) -> dict[str, Any]:
    figures = {name: value for name, value in asdict(result).items() if name != "student_path"}
    return {**figures, **former_result(result.metrics)}


def export_json(export: Export) -> dict[str, Any]:
    """An export with its files."""
    return {
        "id": export.id,
        "job": export.job_id,
        "candidate": export.candidate_number,
        "architecture": plain(export.architecture),
        "size_bytes": sum(file.size_bytes for file in export.files),
        "max_logit_difference": export.max_logit_difference,
        "created_at": export.created_at,
        "files": [asdict(file) for file in export.files],
    }
