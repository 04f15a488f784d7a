"""The command lines: what they take and print. They call operations and parts, which print nothing."""
