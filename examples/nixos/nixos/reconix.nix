# What NixOS must do on a device of reconix before it finds its store: mount the system partition, and
# on top of its pool the images that the kernel's command line names. It works with the scripted
# stage 1 and with systemd in it (boot.initrd.systemd.enable).
{ config, lib, pkgs, ... }:
let
  mountStore = root: "(\nroot=${root}\n${builtins.readFile ./store.sh})";
in
{
  options.reconix.systemPartition = lib.mkOption {
    type = lib.types.str;
    example = "/dev/disk/by-partuuid/1f3f6d05-7c0b-866c-93ef-9f565506e820";
    description = "The partition `system`, by its GUID; `reconix image` says it.";
  };

  config = {
    fileSystems."/system" = {
      device = config.reconix.systemPartition;
      fsType = "ext4";
      options = [ "ro" "noatime" ];
      neededForBoot = true;
    };
    boot.initrd.kernelModules = [ "erofs" "loop" "overlay" ];

    # Scripted: all file systems that are needed are mounted, and init is not looked for yet.
    boot.initrd.postMountCommands = lib.mkIf (!config.boot.initrd.systemd.enable) ''
      ${mountStore "$targetRoot"} || fail
    '';

    # With systemd: before the system is looked for in the store.
    boot.initrd.systemd.extraBin = {
      mount = "${pkgs.util-linux}/bin/mount";
      umount = "${pkgs.util-linux}/bin/umount";
    };
    boot.initrd.systemd.services.reconix-store = {
      description = "Mount the store from the images of this system";
      requiredBy = [ "initrd-fs.target" ];
      before = [
        "initrd-fs.target"
        "initrd-find-nixos-closure.service"
        "initrd-nixos-activation.service"
      ];
      unitConfig = {
        DefaultDependencies = false;
        RequiresMountsFor = "/sysroot/system";
      };
      serviceConfig.Type = "oneshot";
      script = mountStore "/sysroot";
    };
  };
}
