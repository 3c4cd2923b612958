"""What nvidia-smi says of the GPU that this process sees first."""

import os
import subprocess
from typing import Any


def ask(fields: str) -> list[str]:
    """The fields' values; OSError or subprocess.SubprocessError where there is no answer."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0] or "0"
    query = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", "-i", seen]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    return [part.strip() for part in answer.split(",")]


def name() -> str:
    try:
        return ask("name")[0]
    except (OSError, subprocess.SubprocessError):
        return "no GPU"


def clocks() -> dict[str, Any]:
    try:
        sm, memory, reasons = ask("clocks.sm,clocks.mem,clocks_throttle_reasons.active")
        return {"sm_mhz": int(sm), "memory_mhz": int(memory), "throttle_reasons": reasons}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {"unknown": str(error)}
