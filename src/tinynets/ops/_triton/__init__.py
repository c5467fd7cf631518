"""Triton kernels of the ops for CUDA tensors, imported at an op's first call on a GPU.

The kernels support arbitrary strides and 64-bit offsets, accumulate half precision in fp32 and fp64 in fp64, and can be
imported and compiled without a device.
"""
