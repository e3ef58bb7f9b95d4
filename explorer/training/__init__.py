"""How the bundled model is made; the product imports none of it."""
