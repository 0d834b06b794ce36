/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount.h"
#include "fs/settings.h"
#include "store/base/log.h"

static const struct argp_option options[] = {
	{ "foreground", 'f', NULL, 0, "stay, and say what happens on stderr",
	  0 },
	{ "options", 'o', "OPT,...", 0,
	  "views=root|hidden, allow_other, quiet=TIME, open_quiet=TIME, "
	  "busy=TIME, rescan=TIME, min_free=SIZE|N%, and what the kernel "
	  "knows (ro, noatime, ...)",
	  0 },
	{ 0 },
};

/* What the vault's own config says, if there is a vault already. */
static vault_err read_config(struct vault_settings *s,
			     const struct vault_place *place)
{
	const int fd = open(place->vault, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	vault_err err;

	if (fd < 0)
		return VAULT_OK; /* none yet, or mounting says why not */
	err = vault_settings_config(s, fd);
	close(fd);
	return err;
}

/* Every -o in turn; a word that is not understood is said. */
static vault_err read_words(struct vault_settings *s,
			    const struct vault_args *args)
{
	struct vault_buf why = VAULT_BUF_INIT;
	vault_err err = VAULT_OK;

	for (unsigned i = 0; i < args->n_options && err == VAULT_OK; i++)
		if (args->options[i].key == 'o')
			err = vault_settings_words(s, args->options[i].value,
						   &why);
	if (err == VAULT_ERR_SYNTAX)
		fprintf(stderr,
			"artvault mount: %.*s\nTry `artvault mount "
			"--help' for more information.\n",
			(int)why.len, (const char *)why.data);
	vault_buf_release(&why);
	return err;
}

static int run(const struct vault_args *args, const char *dir,
	       const char *vault)
{
	struct vault_settings s;
	struct vault_place place;
	int code = VAULT_EXIT_USAGE;
	vault_err err;

	vault_settings_init(&s);
	err = read_words(&s, args); /* wrong words first, whatever else is */
	if (err != VAULT_OK)
		goto out;
	vault_settings_release(&s);
	vault_settings_init(&s);
	code = VAULT_EXIT_FAILED;
	if (dir != NULL && chdir(dir) != 0) {
		vault_log_error("%s: %s", dir, strerror(errno));
		goto out;
	}
	err = vault_project_place(vault_args_operand(args, 0), vault, &place);
	if (err == VAULT_OK)
		err = read_config(&s, &place);
	if (err == VAULT_OK)
		err = read_words(&s, args);
	if (err != VAULT_OK)
		goto out;
	s.mount.foreground = vault_args_has(args, 'f');
	code = vault_mount_main(&place, vault_args_operand(args, 1), &s.mount);

out:
	vault_settings_release(&s);
	return code;
}

const struct vault_cmd_local vault_cmd_mount = {
	.usage = { .name = "mount",
		   .operands = "PROJECT [MOUNTPOINT]",
		   .summary = "Keep every save of PROJECT from now on, and "
			      "show its past in .history.",
		   .details = "Mounted in place unless MOUNTPOINT is given; "
			      "returns when the mount answers. The vault is "
			      "PROJECT/.artvault unless --vault names another "
			      "folder.",
		   .options = options,
		   .n_min = 1,
		   .n_max = 2 },
	.run = run,
};
