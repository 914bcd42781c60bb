# The script that U-Boot runs from each slot, as boot.scr. Tested by tests/vm/test_u_boot.py.
# docs/spec/control.md tells what it obeys, docs/decisions/0108-boot-script.md why it is like this.
# It uses only what every board has: no sysboot, gpt, bootcount or wdt, and never saveenv.
if test "${reconix_trial}" != 1; then
  setenv reconix_part ${distro_bootpart}
  setenv reconix_version; setenv reconix_slot; setenv reconix_system
  ${devtype} dev ${devnum}
  if part start ${devtype} ${devnum} control reconix_at && ${devtype} read @control@ ${reconix_at} 1; then
    if env import -c @control@ 200 reconix_version reconix_slot reconix_system; then
      # A request. It is forgotten first: zeros are written, read back and compared.
      mw.b @zeros@ 0 200; mw.b @control@ ff 200
      if ${devtype} write @zeros@ ${reconix_at} 1 && ${devtype} read @control@ ${reconix_at} 1 && cmp.b @zeros@ @control@ 200; then
        true
      else
        echo "reconix: the control sector does not keep zeros, so it is not obeyed"
        setenv reconix_version
      fi
      if test "${reconix_version}" != 1; then
        echo "reconix: the request is not obeyed"
        setenv reconix_slot; setenv reconix_system
      fi
    fi
  fi
  if test -n "${reconix_slot}"; then
    echo "reconix: ${reconix_slot} is tried"
    setenv reconix_trial 1
    if part number ${devtype} ${devnum} ${reconix_slot} reconix_part && load ${devtype} ${devnum}:${reconix_part} @script@ boot.scr; then
      source @script@
    fi
    echo "reconix: ${reconix_slot} does not start"
    reset
  fi
fi
if test -n "${reconix_system}" && load ${devtype} ${devnum}:${reconix_part} @entry@ reconix/${reconix_system}.env; then
  true
else
  setenv reconix_system @default@
  load ${devtype} ${devnum}:${reconix_part} @entry@ reconix/@default@.env
fi
if env import -t @entry@ ${filesize} reconix_kernel reconix_kernel_at reconix_initrd reconix_initrd_at reconix_device_tree reconix_arguments && part uuid ${devtype} ${devnum}:${reconix_part} reconix_booted; then
  echo "reconix: ${reconix_system} starts from partition ${reconix_part}"
  setenv bootargs "${reconix_arguments} reconix.booted=${reconix_booted}"
  setenv reconix_tree ${fdt_addr}
  test -n "${reconix_tree}" || setenv reconix_tree ${fdtcontroladdr}
  if test -n "${reconix_device_tree}"; then
    # Places follow from sizes: nothing is to be moved.
    setenv fdt_high ffffffffffffffff; setenv initrd_high ffffffffffffffff
    setenv reconix_tree
    load ${devtype} ${devnum}:${reconix_part} @tree@ ${reconix_device_tree} && setenv reconix_tree @tree@
  fi
  if test -n "${reconix_tree}" && load ${devtype} ${devnum}:${reconix_part} ${reconix_kernel_at} ${reconix_kernel}; then
    if test -z "${reconix_initrd}"; then
      @start@ ${reconix_kernel_at} - ${reconix_tree}
    elif load ${devtype} ${devnum}:${reconix_part} ${reconix_initrd_at} ${reconix_initrd}; then
      @start@ ${reconix_kernel_at} ${reconix_initrd_at}:${filesize} ${reconix_tree}
    fi
  fi
fi
echo "reconix: ${reconix_system} does not start"
reset
