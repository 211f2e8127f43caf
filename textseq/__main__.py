"""`python -m textseq` is `textseq`."""

from textseq.cli import main

if __name__ == "__main__":
    main()
