"""Training of the bundled model; nothing else imports it."""
