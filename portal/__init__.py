"""The front doors: public pages, and the home page of each role. No models."""
