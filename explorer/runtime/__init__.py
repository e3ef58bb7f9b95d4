"""How networks run fast and within the memory there is: traces, CUDA graphs, guidance, threads."""
