"""MicroPython's VFS as MaixPy pins it: mount table, look-up, drivers, file objects."""
