# A toplevel of the shape that NixOS gives it, made with nothing but a static busybox: boot.json with
# one specialisation, a kernel, an initrd and an init of its own.
#
#   kernel    a file: the kernel
#   modules   a folder: kernel modules, and `order`, which names them in the order of loading
#   programs  a folder: `busybox`, which builds all this, and runs in it
#   system    what it is built on and for
{ kernel, modules, programs, system }:
let
  busybox = "${programs}/busybox";

  build = name: variables: script: derivation ({
    inherit name system;
    builder = busybox;
    args = [ "sh" "-euc" "PATH=${tools}/bin; ${script}" ];
  } // variables);

  tools = derivation {
    name = "tools";
    inherit system;
    builder = busybox;
    args = [ "sh" "-euc" ''
      ${busybox} mkdir -p $out/bin
      ${busybox} cp ${busybox} $out/bin/busybox
      for name in $(${busybox} --list); do
        [ $name = busybox ] || ${busybox} ln -s busybox $out/bin/$name
      done
    '' ];
  };

  linux = build "linux-6.1" { } "mkdir $out; cp ${kernel} $out/bzImage";

  initrd = build "initrd-linux-6.1" { script = ./stage-1.sh; } ''
    mkdir -p root/bin root/modules $out
    cp ${busybox} root/bin/busybox
    cp $script root/init
    chmod +x root/init
    cp ${modules}/* root/modules
    (cd root; find . | sort | cpio -o -H newc) > $out/initrd
  '';

  toplevel = { line, specialisations ? { } }: build "nixos-system-appliance" {
    script = ./stage-2.sh;
    inherit line;
    specialisations = map (name: "${name}=${specialisations.${name}}")
      (builtins.attrNames specialisations);
  } ''
    mkdir -p $out/specialisation
    inner=
    for each in $specialisations; do
      ln -s ''${each#*=} $out/specialisation/''${each%%=*}
      inner="$inner''${inner:+, }\"''${each%%=*}\": $(cat ''${each#*=}/boot.json)"
    done
    ln -s ${linux}/bzImage $out/kernel
    ln -s ${initrd}/initrd $out/initrd
    sed -e "s|@out@|$out|g" -e "s|@tools@|${tools}|g" -e "s|@line@|$line|g" $script > $out/init
    chmod +x $out/init
    cat > $out/boot.json <<END
    {
      "org.nixos.bootspec.v1": {
        "init": "$out/init",
        "initrd": "${initrd}/initrd",
        "kernel": "${linux}/bzImage",
        "kernelParams": [ "console=ttyS0", "loglevel=4", "panic=10" ],
        "label": "NixOS of the test (Linux 6.1)",
        "system": "${system}",
        "toplevel": "$out"
      },
      "org.nixos.specialisation.v1": { $inner }
    }
    END
  '';
in toplevel {
  line = "as it is";
  specialisations.quiet = toplevel { line = "quietly"; };
}
