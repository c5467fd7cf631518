"""Inference forms of models: fused, the fastest in PyTorch, and portable, in operations that every converter supports.

`egrr` and `ecnet` contain all forms of one recursive block each. `replacements` maps classes to their forms, and
`traversal` applies them to a model. `folding` folds norms into convolutions. `export_ops` implements the operations of
portable layers, `onnx_functions` the same as nodes of an ONNX graph.
"""

from .traversal import fuse, portable

__all__ = ["fuse", "portable"]
