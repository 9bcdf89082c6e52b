"""The small search's teacher and data. They load torch only for those who ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ose.core.messages import DataRequest
    from ose.tasks.fill_mask.search_data import FillMaskData


@pytest.fixture(scope="module")
def teacher(search: DataRequest) -> PreTrainedModel:
    from ose.tasks.fill_mask.teacher import load_masked_lm

    return load_masked_lm(search.teacher.path)


@pytest.fixture(scope="module")
def data(search: DataRequest) -> FillMaskData:
    from ose.tasks.fill_mask.search_data import load_search_data

    return load_search_data(Path(search.folder))
