{
  description = "The systems of the device that are NixOS";

  # Which NixOS: Nix's own registry says where it is, flake.lock which revision it was.
  inputs.nixpkgs.url = "nixpkgs/nixos-25.05";

  outputs = { nixpkgs, ... }: {
    nixosConfigurations.appliance = nixpkgs.lib.nixosSystem {
      system = "x86_64-linux";
      modules = [ ./appliance.nix ];
    };
  };
}
