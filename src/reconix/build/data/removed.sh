# Says of a command that is not there whether minify took it, and how it comes back. bash asks
# for this, and has all that it takes to read the list; dash and busybox ask nobody.
if [ -n "${BASH_VERSION-}" ]; then
    command_not_found_handle() {
        local folder name size because tab
        tab=$(printf '\t')
        printf 'bash: %s: command not found\n' "$1" >&2
        while IFS=$tab read -r name size because; do
            case $name in
            /*) folder=$name ;;
            "$1")
                case $folder in
                /usr/bin | /usr/sbin)
                    printf '%s was removed because %s; minify.keep = ["%s"], %s bytes\n' \
                        "$folder/$name" "${because:-nothing reaches it}" "$folder/$name" "$size" >&2
                    ;;
                esac
                ;;
            esac
        done </nix/system/removed
        return 127
    }
fi
