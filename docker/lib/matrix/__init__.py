"""The Docker integration matrix: what is built, where it runs, and what is reported."""
