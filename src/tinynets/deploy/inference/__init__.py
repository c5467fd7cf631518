"""Models for inference, in two forms: fused, the quickest in PyTorch, and portable, in operations that every converter
supports.

`egrr` and `ecnet` hold all forms of one recursive block each. `replacements` maps classes to their forms, `traversal`
walks through a model. `folding` folds norms into convolutions. `export_ops` is what portable layers are made of,
`onnx_functions` the same as nodes of an ONNX graph.
"""

from .traversal import fuse, portable

__all__ = ["fuse", "portable"]
