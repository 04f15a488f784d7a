"""What is run by hand: the local stack, the demo, measurements."""
