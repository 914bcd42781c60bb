{
  description = "A toplevel of the shape of NixOS";
  outputs = { self }: {
    toplevel = import ./toplevel.nix {
      kernel = ./kernel;
      modules = ./modules;
      programs = ./programs;
      system = "x86_64-linux";
    };
  };
}
