"""Boot loaders: the files each wants on a boot partition."""
