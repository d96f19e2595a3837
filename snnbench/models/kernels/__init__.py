"""Kernels in Triton for what stands between two matrix products; an optional import, and nothing else here needs Triton."""
