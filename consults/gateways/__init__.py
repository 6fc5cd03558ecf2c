"""What leaves in other people's formats."""
