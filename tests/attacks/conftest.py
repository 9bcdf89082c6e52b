"""What several doors are attacked with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path, real_text: list[str]) -> Path:
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(tiny_roberta, root / "teacher")
    (root / "text.txt").write_text("\n".join(document.replace("\n", " ") for document in real_text))
    with (root / "endless.txt").open("wb") as file:  # takes no room, and minutes to read
        file.write(b"some text\n" * 10_000)
        file.truncate(200 * 2**30)
    return root
