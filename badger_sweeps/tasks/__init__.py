"""What the learners are asked to do. One file per task; `base.py` says what a task is."""
