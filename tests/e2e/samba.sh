#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Windows' Previous Versions: smbd with shadow_copy2 over a mount, on loopback.
. "$(dirname "$0")/lib.sh"
need_mount
need smbd smbclient python3
scratch

port=44555
mkdir -p "$work/samba/private" "$project/art"
printf 'one\n' >"$project/art/f.txt"
mounted
synced
printf 'second\n' >"$project/art/f.txt"
synced
cat >"$work/samba/smb.conf" <<CONF
[global]
    server role = standalone
    smb ports = $port
    interfaces = 127.0.0.1
    bind interfaces only = yes
    map to guest = Bad User
    guest account = root
    private dir = $work/samba/private
    lock directory = $work/samba
    state directory = $work/samba
    cache directory = $work/samba
    pid directory = $work/samba
    ncalrpc dir = $work/samba/ncalrpc
    log file = $work/samba/log
    disable spoolss = yes
    load printers = no
[art]
    path = $project
    guest ok = yes
    read only = no
    vfs objects = shadow_copy2
    shadow:snapdir = .history/.gmt
    shadow:sort = desc
    shadow:localtime = no
    veto files = /.history/.diff/.layers/.timeline/
CONF
# When it ends, smbd ends its whole process group: it gets one of its own.
setsid smbd -F --no-process-group -s "$work/samba/smb.conf" </dev/null \
	>"$work/samba/out" 2>&1 &
smbd=$!
trap 'kill $smbd 2>/dev/null; wait $smbd 2>/dev/null; cleanup' EXIT

smb() {
	timeout 60 smbclient -N -p $port -s "$work/samba/smb.conf" \
		//127.0.0.1/art -c "$1" 2>&1
}
is "smbd answers" until_true 20 smb 'ls'
smb 'allinfo art/f.txt' >"$work/info"
equal "two previous versions" "$(grep -c '^@GMT-' "$work/info")" 2
oldest=$(grep '^@GMT-' "$work/info" | sort | head -n 1)
smb "get art/$oldest/f.txt $work/got" >"$work/get.out" ||
	smb "cd art; get $oldest/f.txt $work/got" >"$work/get.out"
[ -s "$work/got" ] || smb "get $oldest/art/f.txt $work/got" >"$work/get.out"
equal "the oldest is what it was" "$(cat "$work/got" 2>/dev/null)" one
equal "the past is not listed" "$(smb ls | grep -c '\.history')" 0
[ $failures -eq 0 ] || cat "$work/info" "$work/get.out" | head -n 30
finish
