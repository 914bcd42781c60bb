#!@tools@/bin/sh
# The first program of the system. It says who it is, waits a moment, and restarts the device.

PATH=@tools@/bin
echo "NixOS-shaped: @out@ runs @line@, told $(cat /proc/cmdline)" > /dev/console
sleep 2
reboot -f
