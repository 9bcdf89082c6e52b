"""What a plain script tells: the median of a second of calls of a plain transformers model, one shape after the other.

    python outside.py TEACHER THREADS LENGTH SHAPES

Prints a line for each shape: milliseconds.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from transformers import AutoConfig, AutoModel


def main() -> None:
    path, threads, length, shapes = sys.argv[1:]
    torch.set_num_threads(int(threads))
    for shape in json.loads(shapes):
        config = AutoConfig.from_pretrained(path, dtype=torch.float32, **shape)
        model = AutoModel.from_config(config, add_pooling_layer=False).eval()
        ids = torch.randint(10, config.vocab_size, (1, int(length)))
        with torch.inference_mode():
            times_ms: list[float] = []
            warm_at, stop_at = time.perf_counter() + 0.3, time.perf_counter() + 1.3
            while time.perf_counter() < stop_at or len(times_ms) < 30:
                started = time.perf_counter()
                model(input_ids=ids)
                ended = time.perf_counter()
                if started > warm_at:
                    times_ms.append((ended - started) * 1e3)
        print(json.dumps(sorted(times_ms)[len(times_ms) // 2]), flush=True)


if __name__ == "__main__":
    main()
