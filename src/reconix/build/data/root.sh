# How the root of one system is put together. The initrd does it when the device starts, the script
# `switch` when another system takes over without a restart; both read this file. They set
#
#     TOPLEVEL  the store path of the system, NEW  where its root is to be mounted
#     SYSTEM, DATA  where the two partitions are, data  empty where there is no data
#
# and the functions `say` and `fail`. In the toplevel stand links to the parts of the system:
#
#     root    the Debian root            → /usr (read-only), below /etc, /var and its other folders
#     etc     generated files            → over the root's /etc
#     modules the kernel's modules       → /usr/lib/modules
#     metadata  owners and modes that a store cannot hold: <mode> <user> <group> <path> a line
#     persist   what must outlive a boot: <folder on data> <path> a line
#
#     /             tmpfs: gone with the system
#     /nix/store    bound from the system partition, read-only
#     /nix/system   a link to the toplevel: which system this root is
#     /etc, /var    overlays: a tmpfs over the generated files over the root's
#     /opt, /srv, /root, /home …  the same where packages have something there
#
# To start a program takes the most time here, so what a shell can do itself it does itself.

need() { "$@" || fail "$*"; }

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
    mkdir -p dev etc home media mnt nix/store opt proc root run srv sys tmp usr var
    ln -s usr/bin usr/sbin usr/lib usr/lib64 .
    ln -s "$TOPLEVEL" nix/system
    cd /
    need mount -t tmpfs -o mode=1777,nosuid,nodev tmp $NEW/tmp
}

# In two steps, because the first one takes no other options in busybox.
bind_read_only() {
    need mount -o bind "$1" "$2"
    need mount -o remount,bind,ro "$2"
}

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
    chmod 0700 $NEW/root
    need umount $NEW/mnt
}

# Where packages have something besides /usr, /etc and /var: nearly always it is only in /root.
find_other_folders() {
    others=
    for brought in "$TOPLEVEL"/root/*; do
        name=${brought##*/}
        case $name in
            boot | dev | etc | media | mnt | nix | proc | run | sys | tmp | usr | var) ;;
            *) [ -L "$brought" ] || ! has_something "$brought" || others="$others $name" ;;
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

# Owners first, because a change of owner takes set-id bits away; one call for all of an owner, and
# for all of a mode.
apply_metadata() {
    owners= modes=
    while read -r mode user group path; do
        case " 0:0 $owners " in *" $user:$group "*) ;; *) owners="$owners $user:$group" ;; esac
        case " $modes " in *" $mode "*) ;; *) modes="$modes $mode" ;; esac
    done < "$TOPLEVEL/metadata"
    for wanted in $owners; do
        set --
        while read -r mode user group path; do
            [ "$user:$group" != "$wanted" ] || set -- "$@" "$NEW$path"
        done < "$TOPLEVEL/metadata"
        chown -h "$wanted" "$@" || say "not all belong to $wanted: $*"
    done
    for wanted in $modes; do
        set --
        while read -r mode user group path; do
            [ "$mode" != "$wanted" ] || set -- "$@" "$NEW$path"
        done < "$TOPLEVEL/metadata"
        chmod "$wanted" "$@" || say "not all are $wanted: $*"
    done
}

# A path that must outlive a boot: filled from the system the first time, then bound. The copy gets
# its name only when it is whole, so that a cut leaves nothing half.
keep() {
    kept="$DATA/$1$2"
    if [ ! -d "$kept" ]; then
        rm -rf "$kept.new"
        mkdir -p "$kept.new" "$NEW$2"
        cp -a "$NEW$2/." "$kept.new/"
        chown "$(stat -c %u:%g "$NEW$2")" "$kept.new"
        chmod "$(stat -c %a "$NEW$2")" "$kept.new"
        sync
        mv "$kept.new" "$kept"
        sync
    fi
    [ -d "$NEW$2" ] || mkdir -p "$NEW$2"
    mount -o bind "$kept" "$NEW$2" || say "$2 is not kept"
}

keep_paths() {
    [ -n "$data" ] || return 0
    while read -r folder path; do
        keep "$folder" "$path"
    done < "$TOPLEVEL/persist"
}

# One identity for a device, made at its first boot; known already when a system takes over.
give_machine_id() {
    id=/run/reconix/machine-id
    [ -s $id ] || find_machine_id
    cp $id $NEW/etc/machine-id
    chmod 0444 $NEW/etc/machine-id
}

find_machine_id() {
    tr -d - < /proc/sys/kernel/random/uuid > $id
    if [ -n "$data" ]; then
        if ! grep -qxE '[0-9a-f]{32}' $DATA/machine-id 2>/dev/null; then
            cp $id $DATA/machine-id.new && sync && mv $DATA/machine-id.new $DATA/machine-id && sync
        fi
        cp $DATA/machine-id $id
    fi
}
