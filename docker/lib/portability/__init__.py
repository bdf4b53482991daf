"""The portability check: whether an application answers the same under every process model.

    plan = requests.load(path)                                  what to send, and what must come back
    observed[name] = check.run_cell(cell, plan, progress)       what is seen in a cell, one of the ways to serve the application
    found = verdict.judge(plan, observed)                       what depends on the process model, and why
    print(verdict.text(found)); found.to_json(); found.passed

PlanError and CheckError are sentences for the user. docs/portable-handlers.md has the rules and the format of the file of requests.
"""
