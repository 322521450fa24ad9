#!/bin/bash
# Shared by test/check and test/demo: packages, the build, a throwaway cluster.
# Sourced by bash; the caller is in the project's top folder.

export LC_ALL=C.UTF-8
umask 022

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# as_root COMMAND...: directly, or through sudo
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root or sudo for: $*"
    fi
}

# as_server COMMAND...: as the user the server runs as; postgres refuses root
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups \
            env HOME="$work" PATH="$PGBIN:$PATH" "$@"
    else
        env PATH="$PGBIN:$PATH" "$@"
    fi
}

# The major version that is installed with its headers, or that apt offers.
pg_major() {
    local found
    found=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin -path '*/[0-9]*/*' \
        2>/dev/null | awk -F/ '{print $5}' | sort -n | while read -r v; do
        [ ! -d "/usr/include/postgresql/$v/server" ] || echo "$v"
    done | tail -n 1)
    [ -n "$found" ] || found=$(apt-cache search --names-only '^postgresql-server-dev-[0-9]+$' |
        sed 's/^postgresql-server-dev-//; s/ .*//' | sort -n | tail -n 1)
    echo "$found"
}

createcluster_conf=/etc/postgresql-common/createcluster.conf
added_packages=()       # by install_packages, in this run

# A server package would make and start a cluster of its own.  Until the end of this
# COMMAND none does; then the configuration is again what it was, also after an
# interrupt.  Where postgresql-common is not installed yet, its own file comes as the
# package has it, and ours stands beside it.
without_main_cluster() (
    conf=$createcluster_conf
    extra=${conf%.conf}.d
    made=()
    if [ -e "$conf" ]; then
        was=$(mktemp)
        as_root cp -p "$conf" "$was"
        trap 'as_root cp -p "$was" "$conf"; as_root rm -f "$was"' EXIT
        printf '\ncreate_main_cluster = false\n' | as_root tee -a "$conf" >/dev/null
    else
        for folder in "$(dirname "$conf")" "$extra"; do
            [ -e "$folder" ] || made=("$folder" "${made[@]}")
        done
        trap 'as_root rm -f "$extra/zz_llava_zh.conf"
            for folder in "${made[@]}"; do as_root rmdir --ignore-fail-on-non-empty "$folder"; done' EXIT
        as_root mkdir -p "$extra"
        echo 'create_main_cluster = false' | as_root tee "$extra/zz_llava_zh.conf" >/dev/null
    fi
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    "$@"
)

# install_packages PACKAGE...: those of them that are missing, through apt
install_packages() {
    local p missing=()
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    printf 'installing: %s\n' "${missing[*]}" >&2
    without_main_cluster as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "${missing[@]}" \
        >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; die 'apt-get install failed'; }
    added_packages+=("${missing[@]}")
}

# Everything to build and to run: sets PG_MAJOR, PGBIN, PG_CONFIG.
install_build_packages() {
    [ -n "$(find /var/lib/apt/lists -name '*Packages*' 2>/dev/null | head -n 1)" ] ||
        as_root apt-get update -qq || die 'apt-get update failed'
    PG_MAJOR=$(pg_major)
    [ -n "$PG_MAJOR" ] || die 'apt offers no postgresql-server-dev package'
    install_packages "postgresql-$PG_MAJOR" "postgresql-server-dev-$PG_MAJOR" \
        gcc make libc6-dev pkg-config libcurl4-openssl-dev libjpeg62-turbo-dev libpng-dev \
        libwebp-dev libgif-dev libavif-dev libjansson-dev libssl-dev libarchive-dev \
        libc-ares-dev libidn2-dev libpsl-dev python3 "$@"
    PGBIN=/usr/lib/postgresql/$PG_MAJOR/bin
    PG_CONFIG=$PGBIN/pg_config
    export PG_MAJOR PGBIN PG_CONFIG
}

# The extension as it is here; says nothing unless it fails.
build_and_install() {
    make -s with_llvm=no >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; die 'the build failed'; }
    as_root make -s install with_llvm=no >"$work/install.log" 2>&1 || { cat "$work/install.log"; die 'the installation failed'; }
}

# A folder of our own, gone at the end; owned by the server's user.
make_work_folder() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/llava_zh.XXXXXX")
    chmod 755 "$work"
}

own_work_folder() {
    [ "$(id -u)" != 0 ] || chown postgres: "$work"
}

# in_work COMMAND...: as the server's user, who may not read the folder that we are in
in_work() (
    cd "$work" || exit
    as_server "$@"
)

# start_cluster LINES: in $work/data, socket in $work, no TCP; whatever PG* says outside
start_cluster() {
    unset PGHOSTADDR PGSERVICE PGOPTIONS
    in_work "$PGBIN/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
        >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; die 'initdb failed'; }
    {
        printf "listen_addresses = ''\nport = 5432\nunix_socket_directories = '%s'\n" "$work"
        printf '%s\n' "$1"
    } | as_server tee -a "$work/data/postgresql.conf" >/dev/null
    in_work "$PGBIN/pg_ctl" -D "$work/data" -l "$work/server.log" -w -s start ||
        { cat "$work/server.log" >&2; die 'the server did not start'; }
    export PGHOST=$work PGUSER=postgres PGDATABASE=postgres PGPORT=5432
}

stop_cluster() {
    [ ! -e "$work/data/postmaster.pid" ] ||
        in_work "$PGBIN/pg_ctl" -D "$work/data" -m immediate -s stop || true
}
