"""Making a stream: the side of the build machine, which never goes to a device."""
