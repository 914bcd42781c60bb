"""Whose streams a device takes: keys, signatures, and the rule that counts them."""
