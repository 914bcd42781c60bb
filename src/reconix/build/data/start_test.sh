# Run a command on a system that is put together from objects and gone afterwards.
# Ends with 99 if it cannot be put together.
# sh ROOM ROOT LAYERS ETC STORE COUNT (TREE PLACE)… COMMAND…
room=$1 root=$2 layers=$3 etc=$4 store=$5 count=$6
shift 6
mount -t tmpfs tmpfs "$room" || exit 99
mkdir "$room/system" "$room/upper" "$room/work" "$room/etc" "$room/etc.work" || exit 99
over() {
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4" || exit 99
}
over "${layers:+$layers:}$root" "$room/upper" "$room/work" "$room/system"
if test -n "$etc"; then
    over "$etc:$root/etc" "$room/etc" "$room/etc.work" "$room/system/etc"
fi
cd "$room/system" || exit 99
mkdir -p nix/store run tmp dev proc var/log var/lib var/tmp || exit 99
mount --bind "$store" nix/store || exit 99
mount -t tmpfs tmpfs tmp || exit 99
mount -t tmpfs -o mode=755 tmpfs run && mount -t tmpfs -o mode=755 tmpfs dev || exit 99
for each in null zero full random urandom; do
    : > "dev/$each" && mount --bind "/dev/$each" "dev/$each" || exit 99
done
while test "$count" -gt 0; do
    mkdir -p ".$2" 2> /dev/null
    mount --bind "$1" ".$2" || exit 99
    shift 2
    count=$((count - 1))
done
exec unshare --pid --fork --kill-child chroot . "$@"
