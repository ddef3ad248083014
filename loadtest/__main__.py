"""`python -m loadtest`: the load tester without the rest of `ordergate`."""

from loadtest.commands import load

if __name__ == "__main__":
    load()
