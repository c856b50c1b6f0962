"""Firmware images and what starts them: header and hash, AES, Kboot, /freq.conf."""
