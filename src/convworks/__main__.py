"""`python -m convworks`: the command line, as `torchrun -m convworks` starts it too."""

from convworks.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
