import torch
from torch import Tensor


def accumulable(x: Tensor) -> Tensor:
    """x in a type that sums over windows can be taken in: half precision becomes fp32, fp32 and fp64 stay."""
    if x.dtype == torch.float16 or x.dtype == torch.bfloat16:
        return x.float()
    return x
