"""Subprocess script that finds the smallest arena with which TensorFlow Lite Micro can run a file.

For some arenas that are too small, the interpreter aborts the process instead of raising an error. Every size is
therefore printed before it is tried, so that the parent process can restart the script without the size that failed.
"""

import sys

LARGEST = 1 << 26


def main(path: str, *crashed: str) -> None:
    from tflite_micro.python.tflite_micro import runtime

    with open(path, "rb") as file:
        content = file.read()

    def starts(arena: int) -> bool:
        if str(arena) in crashed:
            return False
        print(arena, flush=True)
        try:
            runtime.Interpreter.from_bytes(content, arena_size=arena)
        except RuntimeError:
            return False
        return True

    low, high = 0, 1 << 14
    while not starts(high):
        low, high = high, 2 * high
        if high > LARGEST:
            return
    while high - low > 16:
        middle = (low + high) // 32 * 16
        low, high = (low, middle) if starts(middle) else (middle, high)
    print("found", high)


if __name__ == "__main__":
    main(*sys.argv[1:])
