"""The benchmarks: programs of their own that share no code with what they measure."""
