"""Subprocess script that loads a file, runs it once, and prints the peak memory in bytes.

It imports only the runtime and NumPy, so that the figure is that of a minimal program.
"""

import resource
import sys

import numpy as np


def main(runtime: str, path: str, inputs: str) -> None:
    batch = np.load(inputs)
    if runtime == "onnxruntime":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        session.run(None, {session.get_inputs()[0].name: batch})
    elif runtime == "litert":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=path)
        interpreter.allocate_tensors()
        input_details = interpreter.get_input_details()[0]
        interpreter.set_tensor(input_details["index"], np.zeros(input_details["shape"], input_details["dtype"]))
        interpreter.invoke()
    else:
        import torch

        with torch.inference_mode():
            torch.export.load(path).module()(torch.from_numpy(batch))
    print(peak_bytes())


def peak_bytes() -> int:
    """Return this process's peak memory, on Linux from /proc, since ru_maxrss there includes the parent's memory."""
    if sys.platform == "linux":
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
