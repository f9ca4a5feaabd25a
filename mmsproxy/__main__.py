"""`python -m mmsproxy`."""

from mmsproxy.cli.main import main

if __name__ == "__main__":
    main()
