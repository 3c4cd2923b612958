"""Queries nvidia-smi and NVML about the first GPU that this process sees."""

import ctypes
import os
import subprocess
from typing import Any


def ask(fields: str) -> list[str]:
    """The values of the fields; OSError or subprocess.SubprocessError if there is no answer."""
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


class NoEnergy(Exception):
    """The reason why energy cannot be read."""


class EnergyMeter:
    """The driver's energy counter of the whole GPU, from NVML."""

    def __init__(self) -> None:
        try:
            self.nvml = ctypes.CDLL("libnvidia-ml.so.1")
            uuid = ask("uuid")[0].encode()
        except (OSError, subprocess.SubprocessError) as error:
            raise NoEnergy(f"energy cannot be read: {error}") from error
        self.device = ctypes.c_void_p()
        self._call("nvmlInit_v2")
        self._call("nvmlDeviceGetHandleByUUID", uuid, ctypes.byref(self.device))
        self.millijoules()

    def _call(self, function: str, *given: Any) -> None:
        if code := getattr(self.nvml, function)(*given):
            raise NoEnergy(f"energy cannot be read: {function} answers {code}")

    def millijoules(self) -> int:
        """Energy since some moment in the past; updated several times a second."""
        energy = ctypes.c_ulonglong()
        self._call("nvmlDeviceGetTotalEnergyConsumption", self.device, ctypes.byref(energy))
        return energy.value
