"""How dates are written where a library writes them (the administration)."""
