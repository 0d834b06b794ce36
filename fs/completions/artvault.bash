# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of artvault for bash: commands, options, and where WHEN is meant
# the aliases, the snapshots and the newest moments.

_artvault_whens() {
	local line
	echo "latest previous today yesterday"
	artvault "$@" log 2>/dev/null | head -n 50 | while read -r line; do
		echo "${line%% *}"
	done
}

_artvault() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="mount unmount sync status snapshot unsnapshot log ls
		cat restore check rebuild-index ignored help version"
	local command="" at=0 n=0 i options
	local -a where=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-C | --directory | --vault)
			where+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}")
			i=$((i + 1))
			;;
		-*) ;;
		*)
			if [ -z "$command" ]; then
				command=${COMP_WORDS[i]}
				at=$i
			else
				n=$((n + 1))
			fi
			;;
		esac
	done

	case $prev in
	-C | --directory | --vault)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--at | --since | --until)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_artvault_whens "${where[@]}")" -- "$cur")
		return
		;;
	esac

	if [ "$at" -eq 0 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$commands -C --vault --help --version" -- "$cur")
		return
	fi
	if [[ $cur == -* ]]; then
		options="-C --directory --vault --verbose --help"
		case $command in
		mount) options+=" -f --foreground -o --options" ;;
		status) options+=" --json --watch" ;;
		snapshot) options+=" -m --message --tag" ;;
		unsnapshot) options+=" --undo" ;;
		log) options+=" --json --since --until --tag" ;;
		ls) options+=" --json" ;;
		restore) options+=" --at --to --replace" ;;
		check) options+=" --data --json" ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	ls | cat)
		if [ "$n" -eq 0 ]; then
			mapfile -t COMPREPLY < <(compgen -W \
				"$(_artvault_whens "${where[@]}")" -- "$cur")
			return
		fi
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
		return
		;;
	mount | unmount | sync)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _artvault artvault
