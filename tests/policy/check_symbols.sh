#!/bin/sh
# check_symbols.sh NM ARCHIVE: proves that the policy runtime cannot allocate, lock, print or throw:
# whatever its archive does not define itself must be on the list below. Exit 1 names the others.
set -eu

# Plain memory functions (clang calls bcmp where the source says memcmp), the two things that libgcc
# provides for __builtin_cpu_supports, and a linker's own table.
allowed='memcpy memmove memset memcmp bcmp strlen __cpu_model __cpu_indicator_init _GLOBAL_OFFSET_TABLE_'

defined=$("$1" --defined-only "$2" | awk 'NF == 3 { print $3 }' | sort -u)
forbidden=$("$1" -u "$2" | awk '$1 == "U" { print $2 }' | sort -u | while read -r symbol; do
    if ! printf '%s\n' $allowed "$defined" | grep -qxF -e "$symbol"; then
        echo "$symbol"
    fi
done)
if [ -n "$forbidden" ]; then
    echo "$2 needs symbols that a real-time program must not:" $forbidden >&2
    exit 1
fi
[ -n "$defined" ] || { echo "$2 defines nothing: is it the right archive?" >&2; exit 1; }
