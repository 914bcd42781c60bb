"""Making the objects of a stream on the device that it is sent to."""
