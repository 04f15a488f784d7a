"""Kill, freeze and starve every process while readings flow, and see that nothing is lost and nothing counts twice."""
