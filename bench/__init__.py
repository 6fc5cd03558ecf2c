"""`make bench`: each figure a ratio taken in one run, against something bare on the same server and database."""
