"""``python -m mangrove``: the command line where there is no command ``mangrove``."""

from mangrove.cli import main

if __name__ == "__main__":
    main()
