"""What is claimed in the README is measured here."""
