"""From a generation to a boot partition, and from one boot partition to the next."""
