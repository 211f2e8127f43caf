"""The loops of a recurrence in C++, compiled on the machine that trains, where it has a compiler."""
