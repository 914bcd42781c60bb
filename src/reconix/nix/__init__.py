"""The real Nix: its database and the store it shares with us on the build host."""
