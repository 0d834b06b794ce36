# SPDX-License-Identifier: Apache-2.0
# What the scripts share; sourced with $root set to the checkout.

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The words of "$1" as one that a shell reads back unchanged.
quote() {
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

n_jobs() {
	nproc 2>/dev/null || echo 2
}

# Configure and build one preset of CMakePresets.json.
build_preset() {
	for tool in cmake ninja gcc pkg-config; do
		command -v "$tool" >/dev/null ||
			die "$tool is missing: run scripts/setup first"
	done
	if command -v ccache >/dev/null; then
		CMAKE_C_COMPILER_LAUNCHER=ccache
		export CMAKE_C_COMPILER_LAUNCHER
	fi
	log=$(mktemp)
	if ! (cd "$root" && cmake --preset "$1") >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		die "could not configure; scripts/setup installs what is missing"
	fi
	rm -f "$log"
	# Each header must compile alone; users need not wait for that.
	targets=all
	[ "$1" != dev ] || targets="all all_verify_interface_header_sets"
	(cd "$root" && cmake --build --preset "$1" -j "$(n_jobs)" \
		--target $targets) || die "could not build"
}
