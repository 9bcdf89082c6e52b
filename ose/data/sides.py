from __future__ import annotations

import csv
import hashlib

from ose.data.tables import Row


def all_rows(facts, spec, side):
    paths = facts.train if side == "train" or not facts.validation else facts.validation
    c = spec.columns if hasattr(spec, "columns") else None
    for p in paths:
        import lzma

        with lzma.open(p, "rt", encoding="utf8") if p.endswith("xz") else open(p, encoding="utf8") as f:
            r = csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
            for n, x in enumerate(r, 2):
                h = int(hashlib.blake2b(x["sentence"].encode(), digest_size=4).hexdigest(), 16) / 2**32
                if facts.validation or (h < 1 / 32) == (side != "train"):
                    yield Row(place=f"{p}, line {n}", text=x["sentence"], label=x.get("label"))


def sample_rows(facts, spec, side, count, seed):
    rows = list(all_rows(facts, spec, side))
    rows.sort(key=lambda r: hashlib.blake2b((str(seed) + r.text).encode(), digest_size=8).digest())
    return rows[:count]
