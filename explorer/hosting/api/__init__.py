"""What programs may ask a server for: arguments in, plain JSON out."""
