"""The words of a command line that trains a small net on one thread, in the same numbers on every machine."""

QUICK = (
    *("--backbone", "tiny", "--weights", "none", "--threads", "1", "--workers", "1"),
    *("--precision", "float32", "--channels-last", "false"),
)
