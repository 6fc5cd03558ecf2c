"""Rooms in which two or three people see and hear each other. Nothing said or shown in one is kept."""
