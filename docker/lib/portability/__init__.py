"""The portability check: whether an application answers the same under every process model.

    plan = requests.load(path)                                  what to send, and what must come back
    observations = check.run_cell(cell, plan, progress)         in one cell: one way to serve the application
    verdict = verdict.judge(plan, {cell.name: observations})    what depends on the process model, and why

docs/portable-handlers.md has the rules and the format of the file of requests.
"""
