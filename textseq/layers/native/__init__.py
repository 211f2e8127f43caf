"""What is compiled for this processor by a C++ compiler: sources, and the way to them from each backend."""
