"""``python -m camlite``."""

from camlite.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
