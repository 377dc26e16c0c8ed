"""Tasks. One file per task; `base.py` defines a task."""
