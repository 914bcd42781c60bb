"""What an update will take, before anything is sent: of the link, of the device, of its flash."""
