from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ose.data.parquet_pages import iter_pages

TEXTS = [f"document {number} " * 20 for number in range(3000)]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "brotli"])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_pages_add_up_to_the_column(tmp_path: Path, version: str, compression: str, use_dictionary: bool):
    path = tmp_path / "a.parquet"
    options = {"data_page_version": version, "compression": compression, "use_dictionary": use_dictionary}
    parquet.write_table(pa.table({"text": TEXTS}), path, data_page_size=20_000, **options)
    chunk = parquet.read_metadata(path).row_group(0).column(0)
    first = chunk.dictionary_page_offset if use_dictionary else chunk.data_page_offset
    with path.open("rb") as file:
        pages = list(iter_pages(file, first, first + chunk.total_compressed_size))
    sizes = [page.num_bytes for page in pages]
    assert sum(page.num_values for page in pages) == len(TEXTS)
    headers = chunk.total_uncompressed_size - sum(sizes)
    assert len(sizes) > 1 and 0 < headers < 2000 * len(sizes)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x15",  # an integer that ends too early
        b"\x00",  # an empty struct: no sizes
        b"\x15\x00\x15\x01\x15\x00\x00",  # a negative size
        b"\x1c" * 20,  # structs in structs
        b"\x15" + b"\xff" * 11,  # a number without end
        b"\x1b\x00",  # a map
        b"\x19\xf1\xff\xff\xff\xff\x0f",  # a list of billions
    ],
)
def test_what_is_no_page_is_told(content: bytes):
    with pytest.raises((ValueError, EOFError)):
        list(iter_pages(io.BytesIO(content), 0, max(1, len(content))))
