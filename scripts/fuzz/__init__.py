"""The job's decoder against Flink's own and against the contract, on records that nobody would write."""
