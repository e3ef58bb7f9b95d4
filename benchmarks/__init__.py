"""What docs/measured.md claims is measured here."""
