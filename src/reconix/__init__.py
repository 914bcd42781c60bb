"""reconix: several complete systems on one device, built, sent and switched as transactions."""
