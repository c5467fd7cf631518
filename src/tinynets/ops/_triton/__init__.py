"""CUDA kernels of the ops, in Triton; imported at an op's first call on a GPU.

Kernels take the strides that tensors have and offsets in 64 bits, accumulate half precision in fp32 and fp64 in fp64,
and need no device to be imported or compiled.
"""
