"""A script for a process of its own: find the smallest arena that TensorFlow Lite Micro starts a file with.

For some arenas that are too small, its interpreter ends the process instead of raising an error. So every size is
printed before it is tried. Whoever started the script then knows which size ended it, and can start it again without
that size.
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
