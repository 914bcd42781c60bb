# Which disk is the one that booted. All partitions come from that one, however many others have
# partitions of the same names: a card with somebody's photos, the disk of another host, a stick with
# the image of this one, a copy of this very disk. The initrd reads this file; it sets
#
#     SYS, DEV   where the kernel shows devices, and their nodes
#     FROM       the partition that U-Boot's script has started from, if that started the kernel
#     IMAGES     those of the system that is to start, by their digests, with commas between them
#     SYSTEM     where the system partition is mounted
#     PEEK       where one may be looked at
#
# The boot loader leaves the GUID of the partition that it came from, and the tables of a disk of
# ours list it. GUIDs follow from the name of the host, so a copy has them as well. Then these decide,
# one after the other, as long as several are left:
#
#     holds_images        the system lies on it that the kernel was told to start
#     knows_itself        the agent has noted what the hardware of its disk is called: a copy has the
#                         note, and another hardware
#     named_by_firmware   the load option of this boot begins with its way through PCI
#     it comes first      by the place where it is plugged in, USB last
#
# Nothing is written to a disk before it has been chosen: what is looked at is mounted without its
# journal. Waiting is bounded, and so is everything that is read.

GLOBAL=8be4df61-93ca-11d2-aa0d-00e098032b8c
LOADER=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
WAIT_SECONDS=30   # for a disk that may be ours
SETTLE_SECONDS=3  # for another one, where the first does not know itself

# The path of a partition by its disk and its name, whatever its number.
partition() {
    for uevent in "$SYS/class/block/$1/$1"*/uevent; do
        [ -r "$uevent" ] || continue
        node= name=
        while IFS='=' read -r key value; do
            case $key in DEVNAME) node=$value ;; PARTNAME) name=$value ;; esac
        done < "$uevent"
        [ "$name" != "$2" ] || { echo "$DEV/$node" && return; }
    done
}

# All disks that have a partition of one of these names, in an order that does not depend on which
# one was found first.
disks_with() {
    for entry in "$SYS"/class/block/*; do
        [ -e "$entry" ] && [ ! -e "$entry/partition" ] || continue
        for name in "$@"; do
            [ -z "$(partition "${entry##*/}" "$name")" ] || { rank "$entry" && break; }
        done
    done | sort | sed 's|.*/||'
}

rank() {
    place=$(readlink -f "$1")
    case $place in */usb*) echo "1 $place" ;; *) echo "0 $place" ;; esac
}

# A variable of the firmware in hexadecimal digits, without its attributes; nothing if there is none.
variable() {
    content=$(hexdump -v -e '1/1 "%02X"' "$SYS/firmware/efi/efivars/$1" 2>/dev/null)
    echo "${content#????????}"
}

loader_guid() { tail -c +5 "$SYS/firmware/efi/efivars/LoaderDevicePartUUID-$LOADER" 2>/dev/null; }

# The GUID that the boot loader has left, as it stands in a table: the first three numbers turned.
booted_guid() {
    if [ -n "$FROM" ]; then echo "$FROM"; else loader_guid; fi |
        tr -d '\0' | tr a-f A-F |
        sed -n 's/^\(..\)\(..\)\(..\)\(..\)-\(..\)\(..\)-\(..\)\(..\)-\(....\)-/\4\3\2\1\6\5\8\7\9/p'
}

# Whether the tables of a disk list the partition that booted. They may be damaged, so this looks at
# all places where one may be: near the beginning, and near the end.
lists_booted() {
    read -r sectors < "$SYS/class/block/$1/size"
    sectors_have "$1" 1 127 || sectors_have "$1" $((sectors - 320)) 320
}

sectors_have() {
    dd if="$DEV/$1" bs=512 skip="$2" count="$3" 2>/dev/null |
        hexdump -v -e '16/1 "%02X" "\n"' | grep -qx "$BOOTED"
}

# Look at a system partition without changing anything there, not even its journal.
peek() {
    mount -t ext4 -o ro,noload "$(partition "$1" system)" "$PEEK" 2>/dev/null || return 1
    "$2" "$1"
    seen=$?
    umount "$PEEK"
    return $seen
}

# A system of which nobody says where it lies is nowhere.
holds_images() { peek "$1" has_images; }
has_images() { [ -n "$IMAGES" ] && images_are_below "$PEEK"; }
images_are_below() {
    for image in $(IFS=,; echo $IMAGES); do
        [ -f "$1/images/$image" ] || return 1
    done
}

knows_itself() { peek "$1" is_noted; }
is_noted() {
    is=$(hardware "$1")
    [ -n "$is" ] && [ "$is" = "$(head -c 256 "$PEEK/reconix/hardware" 2>/dev/null)" ]
}

# What the hardware of a disk is called; nothing where it does not say. The agent reads the same
# (device/trial/disks.py).
hardware() {
    for file in wwid serial device/wwid device/cid device/serial; do
        said=$(head -c 256 "$SYS/class/block/$1/$file" 2>/dev/null | tr -cd '!-~')
        [ -z "$said" ] || { echo "$file:$said" && return; }
    done
}

# Source: UEFI Specification 2.10, sections 3.1.3 (load option), 10.3.2.1 (PCI), 10.3.3 (ACPI).
named_by_firmware() {
    current=$(variable "BootCurrent-$GLOBAL")
    option=$(variable "Boot${current#??}${current%??}-$GLOBAL")
    nodes=$(pci_nodes "$1")
    case $option in
        *"$nodes"01010600*) return 1 ;;  # something behind it
        *D041030A????????"$nodes"*) [ -n "$nodes" ] ;;
        *) return 1 ;;
    esac
}

# The way to a disk through PCI, as load options spell it.
pci_nodes() {
    nodes=
    IFS=/
    for part in $(readlink -f "$SYS/class/block/$1"); do
        case $part in
            ????:??:??.?) part=${part#*:*:} && nodes="${nodes}010106000${part#*.}${part%.*}" ;;
        esac
    done
    echo "$nodes" | tr a-f A-F
}

# Those disks of which something is true.
those() {
    rule=$1
    shift
    for disk in "$@"; do
        ! "$rule" "$disk" || echo "$disk"
    done
}

# Since the kernel was started; to look takes time, so turns are not counted.
seconds() { read -r uptime _ < /proc/uptime && echo "${uptime%.*}"; }

# Wait until it is certain which disk is ours, or until waiting does not help; all that may be ours
# are in `found`.
find_candidates() {
    BOOTED=$(booted_guid)
    begun=$(seconds) since=$begun present= found=
    while [ $(($(seconds) - begun)) -lt $WAIT_SECONDS ]; do
        now=$(disks_with system)
        if [ "$now" != "$present" ]; then
            present=$now since=$(seconds)
            found=$(candidates)
            ! is_certain $found || return 0
        fi
        [ -z "$found" ] || [ $(($(seconds) - since)) -lt $SETTLE_SECONDS ] || return 0
        sleep 0.1
    done
    [ -n "$found" ] || last_resort
}

candidates() {
    if [ -n "$BOOTED" ]; then those lists_booted $present; else those holds_images $present; fi
}

is_certain() { [ $# = 1 ] && knows_itself "$1"; }

# A boot loader that has left what is not here, or a journal that has the system and is not played.
last_resort() {
    say "no disk is known to be the one that booted"
    rule=has_slots
    [ -z "$BOOTED" ] || rule=holds_images
    found=$(those $rule $present)
}

has_slots() { [ -n "$(partition "$1" slot-1)" ]; }

# Put the disk that is ours before the others that may be, and say why it is.
choose_disk() {
    [ $# -gt 1 ] || return 0
    say "these disks may be the one that booted: $*"
    left=$* why="it comes first"
    for rule in holds_images knows_itself named_by_firmware; do
        fit=$(those $rule $left)
        [ -z "$fit" ] || left=$fit
        ! is_one $fit || { why=$(meaning $rule) && break; }
    done
    chosen=$(first $left) found=$chosen
    say "$chosen is taken: $why"
    for disk in "$@"; do
        [ "$disk" = "$chosen" ] || found="$found $disk"
    done
}

is_one() { [ $# = 1 ]; }

meaning() {
    case $1 in
        holds_images) echo "only it has the system" ;;
        knows_itself) echo "only its note names its own hardware" ;;
        named_by_firmware) echo "the firmware says that it started from it" ;;
    esac
}

first() { echo "$1"; }

# Mount the system partition of the disk that is ours: of the first that has the system. If none has,
# the first is taken all the same, because what it says about a trial must count.
mount_system() {
    for DISK in "$@"; do
        mount -t ext4 -o ro,noatime "$(partition "$DISK" system)" "$SYSTEM" || continue
        ! images_are_below "$SYSTEM" || return 0
        umount "$SYSTEM"
    done
    [ $# != 0 ] || no_disk
    DISK=$1
    need mount -t ext4 -o ro,noatime "$(partition "$DISK" system)" "$SYSTEM"
}

# Why there may be none, for whoever has just written an image to a disk.
no_disk() {
    for entry in "$SYS"/class/block/*; do
        disk=${entry##*/} size=512
        [ ! -r "$entry/queue/logical_block_size" ] || read -r size < "$entry/queue/logical_block_size"
        [ "$size" = 512 ] || say "$disk has sectors of $size bytes, and must have 512"
    done
    fail "there is no partition named system; is the disk smaller than its image?"
}

tell_others() {
    for disk in $(disks_with slot-1 system data); do
        [ "$disk" = "$DISK" ] || say "$disk has partitions named like ours, and is not used"
    done
}
