# How the root of one system is put together. The initrd does it when the device starts, the script
# `switch` when another system takes over without a restart; both read this file. They set
#
#     TOPLEVEL  the store path of the system, NEW  where its root is to be mounted
#     SYSTEM, DATA  where the two partitions are, data  empty where there is no data
#
# and the functions `say` and `fail`; `bind_read_only` and `bind_here`, if their `mount` is not that of
# busybox. In the toplevel stand links to the parts of the system:
#
#     root    the Debian root            → /usr (read-only), below /etc, /var and its other folders
#     etc     generated files            → over the root's /etc
#     modules the kernel's modules       → /usr/lib/modules
#     metadata  owners and modes that a store cannot hold: <mode> <user> <group> <path> a line
#     persist   what must outlive a boot: <folder on data> <path> a line
#     given     files of the generation in such folders: <generation|device> <path> a line
#
#     /             tmpfs: gone with the system
#     /nix/store    bound from the system partition, read-only
#     /nix/system   a link to the toplevel: which system this root is
#     /etc, /var    overlays: a tmpfs over the generated files over the root's
#     /opt, /srv, /root, /home …  the same where packages have something there
#
# To start a program takes the most time here, so what a shell can do itself it does itself.

need() { "$@" || fail "$*"; }

# What could not be done and is no reason not to start. The agent tells it, and a generation that
# brought it is not kept.
fault() {
    say "$*"
    echo "$*" >> /run/reconix/faults
}

make_system_root() {
    make_root
    bind_store
    bind_usr
    lay_over
    apply_metadata
    give_machine_id
    keep_paths
}

make_root() {
    need mount -t tmpfs -o mode=0755 root $NEW
    cd $NEW || fail "no new root"
    need mkdir -p dev etc home media mnt nix/store opt proc root run srv sys tmp usr var
    need ln -s usr/bin usr/sbin usr/lib usr/lib64 .
    need ln -s "$TOPLEVEL" nix/system
    cd /
    need mount -t tmpfs -o mode=1777,nosuid,nodev tmp $NEW/tmp
}

# In two steps, because the first one takes no other options in busybox.
bind_read_only() {
    need mount -o bind "$1" "$2"
    need mount -o remount,bind,ro "$2"
}

# What we are in, and not what its path leads to by now.
bind_here() { mount -o bind . "$1"; }

bind_store() {
    bind_read_only "$SYSTEM/nix/store" $NEW/nix/store
}

bind_usr() {
    bind_read_only "$TOPLEVEL/root/usr" $NEW/usr
    [ ! -d $NEW/usr/lib/modules ] || bind_read_only "$TOPLEVEL/modules" $NEW/usr/lib/modules
}

# What is changed goes to a tmpfs that only the overlays hold: nobody else can reach it, and it goes
# with them, however often roots are made.
lay_over() {
    need mount -t tmpfs -o mode=0755 changes $NEW/mnt
    find_other_folders
    folders=
    for name in etc var $others; do
        folders="$folders $NEW/$name $NEW/mnt/$name $NEW/mnt/$name.work"
    done
    need mkdir -p $folders
    overlay etc "$TOPLEVEL/etc:$TOPLEVEL/root/etc"
    for name in var $others; do
        overlay "$name" "$TOPLEVEL/root/$name"
    done
    need chmod 0700 $NEW/root
    need umount $NEW/mnt
}

# Where packages have something besides /usr, /etc and /var: nearly always it is only in /root.
find_other_folders() {
    others=
    for brought in "$TOPLEVEL"/root/*; do
        name=${brought##*/}
        case $name in
            boot | dev | etc | media | mnt | nix | proc | run | sys | tmp | usr | var) ;;
            *)
                if [ -L "$brought" ]; then
                    [ -L "$NEW/$name" ] || need cp -P "$brought" $NEW/  # such as lib32
                elif has_something "$brought"; then
                    others="$others $name"
                fi
                ;;
        esac
    done
}

has_something() {
    for entry in "$1"/* "$1"/.[!.]*; do
        if [ -e "$entry" ] || [ -L "$entry" ]; then return 0; fi
    done
    return 1
}

overlay() {
    changes="upperdir=$NEW/mnt/$1,workdir=$NEW/mnt/$1.work"
    need mount -t overlay -o "metacopy=on,$changes,lowerdir=$2" overlay "$NEW/$1"
}

# Owners first, because a change of owner takes set-id bits away. Sorted, so that what one program can
# do follows each other.
apply_metadata() {
    sed 's/^[^ ]* \([^ ]*\) /\1:/; /^0:0 /d' "$TOPLEVEL/metadata" | sort | change chown -h
    sed 's/ [^ ]* [^ ]* / /' "$TOPLEVEL/metadata" | sort | change chmod
}

# Read lines of a value and a path, and start the program for a hundred paths of one value at once: a
# list that grows is copied with each path.
change() {
    program=$* before=
    set --
    while read -r value path; do
        if [ "$value" != "$before" ] || [ $# = 100 ]; then
            change_all "$@"
            before=$value
            set --
        fi
        set -- "$@" "$NEW$path"
    done
    change_all "$@"
}

change_all() {
    [ $# = 0 ] || $program "$before" "$@" || fault "$program $before does not work for all: $1 …"
}

# Go into a folder below another one, step by step; what is missing is made. Below `data` programs
# may have made links, and what runs may make one at any moment: where it has led shows behind it.
enter() {
    cd -P "$1" || return
    rest=${2#/}/
    while [ -n "$rest" ]; do
        step=${rest%%/*} rest=${rest#*/}
        expected=${PWD%/}/$step
        [ -d "./$step" ] || mkdir "./$step" || return
        cd -P "./$step" && [ "$PWD" = "$expected" ] || return
    done
}

# A path that must outlive a boot: filled from the system the first time, then bound.
keep() {
    name=${2##*/}
    if ! enter "$NEW" "$2" || ! enter "$DATA" "$1${2%/*}"; then
        fault "$2 is not kept: there is no way to its place that is all folders"
    elif ! [ -e "./$name" ] && ! [ -L "./$name" ] && ! fill "$2"; then
        fault "$2 is not kept: it cannot be filled: ${said##*: }"
    elif ! enter . "$name" || ! give "$2" || ! bind_here "$NEW$2"; then
        fault "$2 is not kept: it cannot be bound"
    fi
}

# The copy is made where no program gets, and gets its name only when it is whole and durable:
# neither a cut nor a full disk leaves half of it there.
fill() {
    said=$(exec 2>&1; cp -a "$NEW$1" "$DATA/.new" && sync -f . &&
        mv -T "$DATA/.new" "./$name" && sync -f .) && return
    rm -rf "$DATA/.new"
    return 1
}

# Files of the generation in a folder that is kept, in which we are. They arrive where the device has
# none, and where the generation is to win they replace what is there: whole, or not at all.
give() {
    [ -s "$TOPLEVEL/given" ] || return 0
    kept=$PWD
    while read -r winner path; do
        case $path in "$1"/*) ;; *) continue ;; esac
        inner=${path#"$1"/} name=${path##*/}
        if ! back || { [ "$inner" != "$name" ] && ! enter . "${inner%/*}"; }; then
            fault "$path is not that of the generation: there is no way to its place"
        elif is_kept && [ "$winner" = device ] || is_given "$NEW$path"; then
            continue
        elif ! fill "$path"; then
            fault "$path is not that of the generation: ${said##*: }"
        fi
    done < "$TOPLEVEL/given"
    back
}

back() { cd -P "$kept" && [ "$PWD" = "$kept" ]; }

is_kept() { [ -e "./$name" ] || [ -L "./$name" ]; }

# If the device has it so already, nothing is written.
is_given() {
    if [ -L "$1" ] || [ -L "./$name" ]; then
        [ "$(readlink "$1")" = "$(readlink "./$name")" ]
    else
        [ -f "./$name" ] && cmp -s "$1" "./$name" &&
            [ "$(stat -c %u:%g:%a "$1")" = "$(stat -c %u:%g:%a "./$name")" ]
    fi
}

keep_paths() {
    [ -n "$data" ] || return 0
    [ ! -e "$DATA/.new" ] || rm -rf "$DATA/.new"
    while read -r folder path; do
        keep "$folder" "$path"
    done < "$TOPLEVEL/persist"
    cd /
}

# One identity for a device, made at its first boot; known already when a system takes over.
give_machine_id() {
    [ -s /run/reconix/machine-id ] || find_machine_id
    need cp /run/reconix/machine-id $NEW/etc/machine-id
    need chmod 0444 $NEW/etc/machine-id
}

find_machine_id() {
    known=$DATA/machine-id found=
    if [ -n "$data" ] && [ -f "$known" ] && [ ! -L "$known" ]; then
        found=$(head -c 33 "$known")
    fi
    case $found in *[!0-9a-f]*) found= ;; esac
    [ ${#found} = 32 ] || make_machine_id
    echo "$found" > /run/reconix/machine-id
}

make_machine_id() {
    found=$(tr -d - < /proc/sys/kernel/random/uuid)
    [ -n "$data" ] || return 0
    rm -rf "$known.new"
    echo "$found" > "$known.new" && sync -f "$known.new" && mv -T "$known.new" "$known" &&
        sync -f "$known" && return
    rm -f "$known.new"
    fault "the machine-id is not kept"
}
