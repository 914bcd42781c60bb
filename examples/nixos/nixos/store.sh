# Mount the store of a reconix device below $root, where its system partition is mounted at /system.
# The images that hold this system stand on the kernel's command line, and their contents lie in the
# pool, or in a pack. With `reconix.verity` there, the kernel compares all that it reads. The layers keep the images mounted, so that they need no place of their own afterwards.

images= verity= layers= number=0
for word in $(cat /proc/cmdline); do
    case $word in
        reconix.images=*) images=${word#*=} ;;
        reconix.verity) verity=,verity=require ;;
    esac
done
read -r layout < "$root/system/reconix/layout"
if [ "$layout" != 2 ]; then
    echo "the disk has layout ${layout:-1}, this system needs 2"
    exit 1
fi
mkdir -p "$root/nix/store" /run/reconix
echo "$images" > /run/reconix/images
cd /run/reconix
for image in $(IFS=,; echo $images); do
    if [ -n "$verity" ]; then
        found=$(sha256sum "$root/system/images/$image")
        [ "${found%% *}" = "$image" ] || { echo "the image $image was altered"; exit 1; }
    fi
    mkdir $number
    mount -t erofs -o loop,ro "$root/system/images/$image" /run/reconix/$number || exit 1
    layers=$layers${layers:+:}$number
    number=$((number + 1))
done
packs=
for pack in "$root"/system/packs/*; do
    place=/run/reconix/packs/${pack##*/}
    [ -f "$pack" ] && mkdir -p "$place" || continue
    if mount -t erofs -o loop,ro "$pack" "$place"; then packs=$packs::$place; fi
done
mount -t overlay -o "ro,redirect_dir=follow,metacopy=on$verity,lowerdir=$layers::$root/system/pool$packs" \
    store "$root/nix/store" || exit 1
umount /run/reconix/[0-9]*
rmdir /run/reconix/[0-9]*
cd /
