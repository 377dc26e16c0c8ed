"""Imports of thousands of modules, during which Python does not search for garbage."""

from __future__ import annotations

import atexit
import gc
import sys
from importlib import import_module
from types import ModuleType


def import_uncollected(name: str) -> ModuleType:
    """Import a module and what it imports with the garbage collector switched off, and exclude all of it from later
    collections.

    Modules are not garbage, but the collector searches all objects again and again while half a million of them come
    into being: a third of the time that the imports of a run take. `gc.freeze` keeps them out of the collections
    during training as well. A module that was imported before changes nothing: what training has created since then
    must stay visible to the collector.

    Args:
        name: the module's full name.
    """
    if name in sys.modules:
        return sys.modules[name]
    enabled = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def end_uncollected() -> None:
    """Let this process end without a search for garbage, which the operating system frees anyway.

    Functions that are registered with `atexit` later are called earlier, so that what they leave is excluded as well.
    """
    atexit.register(gc.freeze)
