/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VAULT_FS_PROGRAM_H
#define VAULT_FS_PROGRAM_H

/*
 * `artvault`: reads the words of its user, finds the project, and lets the
 * daemon run the command or runs it itself on a vault that is not mounted.
 * Returns the exit code.
 */
int vault_program_main(int argc, char **argv);

#endif
