"""What changed for the people in care: scores at baseline, after sessions two and four, and later; named by definition, with N."""
