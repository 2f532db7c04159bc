"""``python -m camlite``."""

from camlite.commands import program

if __name__ == "__main__":
    raise SystemExit(program())
