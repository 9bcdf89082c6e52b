"""Measure saved models by the method of a former version, in whose checkout this runs: one shape at its own moment.

    PYTHONPATH=CHECKOUT python former.py REQUEST

Reads a JSON file with the protocol and the folders of the saved models, the teacher's first, and prints a line for each.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ose.core.pace import BestPace  # type: ignore[import-not-found]

from ose.core.measurement import LatencyProtocol
from ose.core.messages import LatencyRequest
from ose.latency.probe import SubprocessLatencyProbe


def main() -> None:
    with open(sys.argv[1], encoding="utf8") as file:
        asked = json.load(file)
    protocol, best = LatencyProtocol(**asked["protocol"]), BestPace(asked["best_pace_ms"])
    with SubprocessLatencyProbe(protocol) as probe:

        def measured(model: dict[str, Any]) -> Any:
            found = probe.measure(LatencyRequest(**model, protocol=protocol, best_pace_ms=best.best_ms))  # type: ignore[call-arg]
            best.learn(found)
            return found

        found = [measured(model) for model in asked["models"]]
        for index, each in enumerate(found):  # as a search did at the end of a wave
            if best.was_slow(each) and not each.is_flagged:
                found[index] = measured(asked["models"][index])
    for each in found:
        print(json.dumps({"p50_ms": each.p50_ms, "is_flagged": each.is_flagged, "pace_ms": each.pace_ms}))


if __name__ == "__main__":
    main()
