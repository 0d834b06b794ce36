/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/program.h"

int main(int argc, char **argv)
{
	return vault_program_main(argc, argv);
}
