"""Set-up and running of Hearthside on one machine.

Standard library only, because it must work before the virtual environment exists: it is what makes that environment.
Start with `python3 -m runner --help`; docs/operations.md tells the whole story.
"""
