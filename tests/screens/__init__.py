"""Pictures of every page for docs/screens, drawn from a freshly seeded demo practice that runs: `python -m tests.screens`."""
