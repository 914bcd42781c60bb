# How the root of one system is put together. The initrd does it when the device starts; when another
# system takes over without a restart, the script `leave` of the system that goes does the first half,
# `make_store`, and the script `switch` of the one that comes does the rest. All read this file, and so
# does `container`, which puts the roots of containers together. They set
#
#     TOPLEVEL  the store path of the system, NEW  where its root is to be mounted
#     IMAGES    the images in which it lies, by their digests, with commas between them
#     SYSTEM, DATA  where the two partitions are, data  empty where there is no data
#
# and the functions `say` and `fail`; `bind_here`, if their `mount` is not that of busybox. `/nix/store`
# leads to the store of the new root. In the toplevel stand links to the parts of the system:
#
#     root    the Debian root            → /usr (read-only), below /etc, /var and its other folders
#     etc     generated files            → over the root's /etc
#     modules the kernel's modules       → /usr/lib/modules
#     trees     objects of their own: <store path> <path> a line → read-only at these paths
#     layers    objects laid over the root, a line each, first the uppermost: they have folders of it
#     persist   what must outlive a boot: <folder on data> <path> a line
#     given     files of the generation in such folders: <generation|device> <path> a line
#
#     /             tmpfs: gone with the system
#     /nix/store    an overlay, read-only: the images of the system over the pool, and that over packs
#     /nix/system   a link to the toplevel: which system this root is
#     /etc, /var    overlays: a tmpfs over the generated files over the root's
#     /opt, /srv, /root, /home …  the same where packages or layers have something there
#     /usr          as it is in the root; an overlay, read-only, where a layer has something there
#
# Owners, modes and attributes are those of the images. To start a program takes the most time here, so
# what a shell can do itself it does itself, and what is mounted next to each other one program mounts.

CMDLINE=/proc/cmdline
PACKS=/run/reconix/packs  # where they are mounted for the agent, too
LONGEST=255  # bytes of an option that mount(8) can give to a kernel, one by one
links=0
FOLDERS="dev etc home media mnt nix/store opt proc root run/changes srv sys tmp usr var"

need() { "$@" || fail "$*"; }

# What could not be done and is no reason not to start. The agent tells it, and a generation that
# brought it is not kept.
fault() {
    say "$*"
    echo "$*" >> /run/reconix/faults
}

# Whether the kernel is to compare all that is read with its hashes. It was told when it was started, so
# this holds for a system that takes over as well.
read_integrity() {
    VERITY=
    read -r words < $CMDLINE
    case " $words " in *" reconix.verity "*) VERITY=1 ;; esac
}

# Note what is to be mounted: source, place, kind, options. The places must be new: what is mounted at
# one already is left as it is.
plan_mount() {
    table="$table$1 $2 $3 $4
"
}

# Folders of images, first the uppermost; their contents come from the pool, or else a pack. An image says which digest
# a content must have: with `verity=require` one that has another, or none, cannot be opened.
plan_overlay() {
    lowerdir=$3::$SYSTEM/pool$packs
    [ ${#lowerdir} -le $LONGEST ] || shorten
    plan_mount "$1" "$2" overlay "$4,metacopy=on${VERITY:+,verity=require},lowerdir=$lowerdir"
}

# Links to all of these, in the folder in which mount is called, too.
shorten() {
    IFS=: short=
    set -f
    for part in $lowerdir; do
        if [ -n "$part" ]; then
            links=$((links + 1))
            need ln -sfn "$part" l$links
            part=l$links
        fi
        short=$short:$part
    done
    set +f
    unset IFS
    lowerdir=${short#:}
}

make_mounts() {
    printf %s "$table" > "${TABLE:=$NEW/run/table}" || fail "no list of mounts"
    mount -a -T "$TABLE" || fail "not all of this is mounted: $table"
    table=
}

read_mounts() {
    mounts=
    while read -r _ point _; do mounts="$mounts $point "; done < /proc/self/mounts
}

is_mounted() {
    case $mounts in *" $1 "*) return 0 ;; esac
    return 1
}

# The store of the system, in what is to become its root. Until that is made each image is also
# mounted alone, at $NEW/run/0, 1 … in the order of their names; later all of /run lies over these.
make_store() {
    read_integrity
    find_images
    find_packs
    need mount -t tmpfs -o mode=0755 root $NEW
    cd $NEW || fail "no new root"
    need mkdir -p $FOLDERS $places
    cd run || fail "no place for images"
    table= number=0
    for image in $(images); do
        plan_mount "$SYSTEM/images/$image" $NEW/run/$number erofs loop,ro
        number=$((number + 1))
    done
    plan_overlay store $NEW/nix/store "$layers" ro,redirect_dir=follow
    make_mounts
    cd /
}

# Wrong ones are known before anything is mounted.
find_images() {
    layers= places= number=0
    for image in $(images); do
        is_digest "$image" || fail "$image is no name of an image"
        [ -f "$SYSTEM/images/$image" ] || fail "there is no image $image"
        [ -z "$VERITY" ] || is_unaltered "$image" || fail "the image $image was altered"
        layers=$layers${layers:+:}$number places="$places run/$number"
        number=$((number + 1))
    done
    [ -n "$layers" ] || fail "nothing says in which images $TOPLEVEL is"
}

# Compressed contents of the first image of the device. What rests in a pack that is damaged is missing,
# and that is an error of whoever reads it. Where one is mounted already, it stays.
find_packs() {
    packs=
    for pack in "$SYSTEM"/packs/*; do
        place=$PACKS/${pack##*/}
        is_digest "${pack##*/}" || continue
        if has_something "$place" || mount_pack; then packs=$packs::$place; fi
    done
}

mount_pack() {
    mkdir -p "$place" && mount -t erofs -o loop,ro "$pack" "$place" && return
    fault "the pack ${pack##*/} is not mounted"
    return 1
}

images() { IFS=,; echo $IMAGES; }

is_digest() {
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ ${#1} = 64 ]
}

is_unaltered() {
    found=$(sha256sum "$SYSTEM/images/$1") && [ "${found%% *}" = "$1" ]
}

make_system_root() {
    table=
    read_integrity
    [ -n "${packs+known}" ] || find_packs
    make_folders
    mount_folders
    lay_over
    bind_trees
    give_machine_id
    keep_paths
}

make_folders() {
    cd $NEW || fail "no new root"
    missing=
    for folder in $FOLDERS; do
        [ -d $folder ] || missing="$missing $folder"
    done
    [ -z "$missing" ] || need mkdir -p $missing  # another release has made the store
    need ln -s usr/bin usr/sbin usr/lib usr/lib64 .
    need ln -s "$TOPLEVEL" nix/system
    cd /
}

# What we are in, and not what its path leads to by now.
bind_here() { mount -o bind . "$1"; }

# /usr is read-only as the store is: a mount has that from the one that it is made of. What is changed
# goes to a tmpfs that only the overlays hold: nobody else can reach it, and it goes with them, however
# often roots are made.
mount_folders() {
    find_layers
    plan_mount tmp $NEW/tmp tmpfs mode=1777,nosuid,nodev
    plan_usr
    [ ! -d "$TOPLEVEL/root/usr/lib/modules" ] ||
        plan_mount "$TOPLEVEL/modules" $NEW/usr/lib/modules none bind
    plan_mount changes $NEW/run/changes tmpfs mode=0755
    make_mounts
}

plan_usr() {
    find_lower usr
    case $lower in
        *:*) plan_overlay usr $NEW/usr "$lower" ro,redirect_dir=follow ;;
        *) plan_mount "$TOPLEVEL/root/usr" $NEW/usr none bind ;;
    esac
}

lay_over() {
    find_other_folders
    find_layer etc && etc=$layer
    folders=
    for name in etc var $others; do
        folders="$folders changes/$name/upper changes/$name/work $NEW/$name"
    done
    need mkdir -p $folders
    give_owners
    overlay etc "$etc:$root/etc"
    for name in var $others; do
        find_lower "$name"
        overlay "$name" "$lower"
    done
    make_mounts
    cd /
    need umount $NEW/run/[0-9]* $NEW/run/changes
}

# Where a part of the system stands in an image, seen from $NEW/run, in which we are afterwards. The
# store has it as well, but of overlays over overlays a kernel takes two and no more: nobody could
# lay anything over /etc.
find_layer() {
    cd -P "$TOPLEVEL/$1" || fail "there is no $TOPLEVEL/$1"
    find_object "$PWD"
}

find_object() {
    object=${1##*/}
    cd $NEW/run || fail "no images"
    for layer in [0-9]*/"$object"; do
        [ ! -d "$layer" ] || return 0
    done
    fail "no image has $object"
}

# The root, and what is laid over it, first the uppermost.
find_layers() {
    above=
    if [ -s "$TOPLEVEL/layers" ]; then
        while read -r object; do
            find_object "$object"
            above="$above $layer"
        done < "$TOPLEVEL/layers" || fail "the list of layers cannot be read"
    fi
    find_layer root && root=$layer
}

# Which of these have a folder of one name; what is not in the root is in one layer at least.
find_lower() {
    lower=
    for layer in $above "$root"; do
        [ ! -d "$layer/$1" ] || lower=$lower${lower:+:}$layer/$1
    done
}

# Where packages and layers have something besides /usr, /etc and /var: nearly always it is only in
# /root.
find_other_folders() {
    others=
    for layer in $above "$root"; do
        for brought in "$layer"/*; do
            name=${brought##*/}
            case " boot dev etc media mnt nix proc run sys tmp usr var $others " in
                *" $name "*) ;;
                *)
                    if [ -L "$brought" ]; then
                        [ -L "$NEW/$name" ] || need cp -P "$brought" $NEW/  # such as lib32
                    elif has_something "$brought"; then
                        others="$others $name"
                    fi
                    ;;
            esac
        done
    done
}

# The place of each is made where it is not there; the way to it is all folders.
bind_trees() {
    [ -s "$TOPLEVEL/trees" ] || return 0
    while read -r object place; do
        enter "$NEW" "$place" || fail "there is no way to $place that is all folders"
        plan_mount "$object" "$NEW$place" none bind
    done < "$TOPLEVEL/trees" || fail "the list of trees cannot be read"
    cd /
    make_mounts
}

has_something() {
    for entry in "$1"/* "$1"/.[!.]*; do
        if [ -e "$entry" ] || [ -L "$entry" ]; then return 0; fi
    done
    return 1
}

overlay() {
    plan_overlay overlay "$NEW/$1" "$2" "upperdir=changes/$1/upper,workdir=changes/$1/work"
}

# An overlay itself looks like the uppermost of its folders, which we have made, as the other folders
# of the new root. A folder of several is that of the root.
give_owners() {
    for layer in $above "$root"; do
        said=$(cd "$layer" && stat -c "%a %u:%g %n" */) || fail "nobody says whose the folders are"
        while read -r mode owner name; do
            name=${name%/}
            case $name in boot | dev | mnt | nix | proc | run | sys | tmp | usr) continue ;; esac
            [ "$layer" = "$root" ] || [ ! -d "$root/$name" ] || continue
            give_owner
        done <<END
$said
END
    done
}

give_owner() {
    place=$NEW/$name
    [ -d "$place" ] && [ ! -L "$place" ] || return 0
    [ ! -d "changes/$name" ] || place=changes/$name/upper
    [ "$name" != root ] || mode=700
    [ "$owner" = 0:0 ] || need chown "$owner" "$place"
    [ "$mode" = 755 ] || need chmod "$mode" "$place"
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
    true < "$TOPLEVEL/persist" || fault "nothing is kept: the list of what is cannot be read"
    cd /
}

# One identity for a device, made at its first boot; known already when a system takes over.
give_machine_id() {
    [ -s /run/reconix/machine-id ] || find_machine_id
    read -r identity < /run/reconix/machine-id || fail "no machine-id"
    echo "$identity" > $NEW/etc/machine-id || fail "no machine-id in /etc"
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
