"""What can be said of ONNX Runtime without loading it."""

from __future__ import annotations

from ose.runtimes.base import RuntimeRules
from ose.tasks.onnx_folder import ONNX_FILE
from ose.tasks.onnx_session import INSTALL

RULES = RuntimeRules(
    name="onnxruntime",
    precisions=("float32", "int8"),
    devices=("cpu",),
    distribution="onnxruntime",
    needs=("onnx", "onnxruntime"),
    install=INSTALL,
    files=(ONNX_FILE,),
)
