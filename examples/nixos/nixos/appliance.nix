# A system of NixOS on a device of reconix: the disk is the device's, the rest is as anywhere.
{ ... }:
{
  system.stateVersion = "25.05";
  networking.hostName = "device";

  # Partitions are found by GUID: numbers differ from slot to slot, and another disk may have the same
  # names. The GUID follows from the name of the host, `device`; `reconix image` says it.
  imports = [ ./reconix.nix ];
  reconix.systemPartition = "/dev/disk/by-partuuid/1f3f6d05-7c0b-866c-93ef-9f565506e820";
  fileSystems."/" = {
    device = "none";
    fsType = "tmpfs";
    options = [ "mode=0755" ];
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
