"""A walk through a whole course over HTTP, as each person who takes part in it. Knows pages and forms, no internals."""
