"""How kernels are compiled once, kept, linked and called."""
