"""The native engine: forward and backward pass in one C++ kernel, a few games at a time, in the processor's cache.

`kernel/` is the kernel, `compiler.py` builds it, `job.py` reads its structs, `library.py` calls it, `cells.py`
describes each architecture to it, and `engine.py` is the interface to the rest of the program.
"""
