#!/bin/busybox sh
# The initrd's first program: find the partition with the images that reconix.images= names, mount them
# over the pool, and start what init= names in the store that they are.

busybox=/bin/busybox
$busybox mkdir -p /dev /proc /sys /system /new
$busybox --install -s /bin
export PATH=/bin

fail() {
    echo "stage 1: $*"
    sleep 2
    reboot -f
}

# The device node of the partition named system, whatever its number.
partition() {
    for uevent in /sys/class/block/*/uevent; do
        grep -qx PARTNAME=system "$uevent" && sed -n 's|^DEVNAME=|/dev/|p' "$uevent"
    done
}

mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec < /dev/console > /dev/console 2>&1
while read -r name; do
    insmod "/modules/$name.ko"
done < /modules/order
tries=0
while [ -z "$(partition)" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "there is no partition named system"
    sleep 0.1
done
mount -t ext4 -o ro "$(partition)" /system || fail "cannot mount $(partition)"
for word in $(cat /proc/cmdline); do
    case $word in
        init=*) init=${word#init=} ;;
        reconix.images=*) images=${word#reconix.images=} ;;
    esac
done
mount -t tmpfs root /new
mkdir -p /new/nix/store /new/dev /new/proc /new/sys /images
cd /images
for image in $(echo "$images" | tr , ' '); do
    mkdir "$image"
    mount -t erofs -o loop,ro "/system/images/$image" "$image" || fail "cannot mount $image"
done
layers=$(echo "$images" | tr , :)
mount -t overlay -o "ro,metacopy=on,redirect_dir=follow,lowerdir=$layers::/system/pool" \
    store /new/nix/store || fail "cannot mount the store"
umount /images/*
cd /
for folder in dev proc sys; do
    mount --move /$folder /new/$folder
done
exec switch_root /new "$init"
