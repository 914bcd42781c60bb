# A system of NixOS on a device of reconix: the disk is the device's, the rest is as anywhere.
{ ... }:
{
  system.stateVersion = "25.05";
  networking.hostName = "device";

  # Partitions are found by name, never by number, since the numbers differ from slot to slot.
  fileSystems."/" = {
    device = "none";
    fsType = "tmpfs";
    options = [ "mode=0755" ];
  };
  fileSystems."/system" = {
    device = "/dev/disk/by-partlabel/system";
    fsType = "ext4";
    options = [ "ro" "noatime" ];
    neededForBoot = true;
  };
  fileSystems."/nix/store" = {
    device = "/system/nix/store";
    fsType = "none";
    options = [ "bind" "ro" ];
    depends = [ "/system" ];
  };

  # The boot partitions are written by reconix, and the store of the device has no database.
  boot.loader.grub.enable = false;
  nix.enable = false;

  boot.initrd.availableKernelModules = [ "virtio_pci" "virtio_blk" ];
  boot.kernelParams = [ "console=ttyS0" ];

  # A hang ends in a restart, and a restart in the default system.
  systemd.watchdog.runtimeTime = "60s";

  # What the appliance is there to do.
  services.nginx.enable = true;
}
