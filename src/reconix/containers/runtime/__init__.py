"""How a container is run: what crun, systemd, the firewall and our script are told of it."""
