"""The native engine: forward and backward pass in one C++ kernel, a few games at a time, in the processor's cache.

`cells.py` describes each architecture to the kernel, `kernel/` is the kernel, `compiler.py` builds it, `library.py`
calls it, and `engine.py` is what the rest of the program sees.
"""
