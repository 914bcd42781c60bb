"""How the content of files is made on the device: packing, unpacking, adding differences."""
