"""Parts of networks as fused Triton kernels. Importing most of them needs Triton."""
