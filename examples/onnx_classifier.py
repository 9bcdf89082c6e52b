"""Classify texts with an ONNX export of OSE's. It needs onnxruntime, numpy and tokenizers, and nothing else.

python onnx_classifier.py EXPORT "A text." "Another one."
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder, texts = Path(sys.argv[1]), sys.argv[2:]
config = json.loads((folder / "config.json").read_text(encoding="utf8"))
facts = json.loads((folder / "ose_manifest.json").read_text(encoding="utf8"))["onnx"]

tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(facts["max_length"])
tokenizer.enable_padding(pad_id=config["pad_token_id"])
encoded = tokenizer.encode_batch(texts)
columns = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
inputs = {
    each["name"]: np.array([getattr(text, columns[each["name"]]) for text in encoded], dtype=np.int64)
    for each in facts["inputs"]
}
session = onnxruntime.InferenceSession(str(folder / facts["file"]), providers=["CPUExecutionProvider"])
[logits] = session.run(["logits"], inputs)
for text, row in zip(texts, logits, strict=True):
    print(text, "->", config["id2label"][str(row.argmax())], np.round(row, 4).tolist())
