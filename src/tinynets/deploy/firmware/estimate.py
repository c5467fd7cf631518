"""Flash and RAM of a net as int8 C."""


def int8_code_bytes(kernels: tuple[str, ...], steps: int) -> int:
    return 1000 * len(kernels) + 60 * steps
