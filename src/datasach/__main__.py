"""`python -m datasach`: the same as the command `datasach`."""

from datasach.cli import main

if __name__ == "__main__":
    main()
