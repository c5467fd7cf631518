"""Run as a script, in a process of its own: find the smallest arena that TensorFlow Lite Micro starts a file with.

Its interpreter ends the process where some arenas run out, instead of refusing them. Every size is printed before it is
tried, so that whoever started the script can name the size that ended it and start it again.
"""

import sys

LARGEST = 1 << 26


def main(path: str, *deadly: str) -> None:
    from tflite_micro.python.tflite_micro import runtime

    with open(path, "rb") as file:
        content = file.read()

    def starts(arena: int) -> bool:
        if str(arena) in deadly:
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
