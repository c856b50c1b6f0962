"""``python -m maixfs`` is the command ``maixfs``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from maixfs.cli.main import run

    run()


if __name__ == "__main__":
    main()
