#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A random life of a project against a model of it; scripts/scale does the
# same with more of everything, and prints figures.
. "$(dirname "$0")/lib.sh"
need_mount
need python3
scratch
rmdir "$project"
is "the past is what the model says" \
	python3 "$here/scale.py" "$ARTVAULT" "$work" 40 10 60
finish
