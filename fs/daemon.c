/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "fs/control.h"
#include "fs/livefs.h"
#include "fs/logfile.h"
#include "fs/mountinfo.h"
#include "fs/view.h"
#include "fs/watch.h"
#include "store/base/log.h"

#define IDLE_THREADS 10
#define LIVE_TIMEOUT_S 1.0

/* How long an unmount waits for programs that are just letting go. */
#define UNMOUNT_TRIES 20
#define UNMOUNT_PAUSE_MS 100

/* With more than this waiting, a plain unmount does not stay to commit it:
 * the next mount's scan finds it. */
#define LAST_SYNC_NAMES 1000

struct daemon {
	const struct vault_daemon_job *job;
	struct vault_project *project;
	struct vault_view *view;
	struct vault_livefs *live;
	struct fuse_session *session;
	bool by_helper; /* mounted through fusermount3 */
	struct vault_control *control;
	pthread_mutex_t lock;
	char *shadowed; /* under lock; the text last given out */
};

/* ---- what the control socket asks of us ---- */

/* Texts that were given out stay: a command may still be reading one. They
 * change only when somebody finds a new shadowed name. */
static const char *shadowed_text(struct daemon *d)
{
	struct vault_buf b = VAULT_BUF_INIT;
	const char *text = NULL;

	if (vault_livefs_shadowed(d->live, &b) == VAULT_OK)
		text = vault_buf_cstr(&b);
	pthread_mutex_lock(&d->lock);
	if (text != NULL &&
	    (d->shadowed == NULL || strcmp(d->shadowed, text) != 0)) {
		char *copy = strdup(text);

		if (copy != NULL)
			d->shadowed = copy;
	}
	text = d->shadowed != NULL ? d->shadowed : "";
	pthread_mutex_unlock(&d->lock);
	vault_buf_release(&b);
	return text;
}

static void describe(void *ctx, struct vault_command_env *env)
{
	struct daemon *d = ctx;

	env->live_path = vault_livefs_path_text(d->live);
	env->shadowed = shadowed_text(d);
}

/* The kernel then tells the loop that there is no mount any more. */
static void unmount(void *ctx)
{
	const struct daemon *d = ctx;
	const struct timespec pause = { .tv_nsec = UNMOUNT_PAUSE_MS * 1000000 };
	vault_err err = VAULT_ERR_BUSY;

	for (int n = 0; n < UNMOUNT_TRIES && err == VAULT_ERR_BUSY; n++) {
		err = vault_mountinfo_unmount(d->job->mountpoint, false);
		if (err == VAULT_ERR_BUSY)
			nanosleep(&pause, NULL);
	}
	if (err != VAULT_OK) {
		vault_log_warn("%s: not unmounted: %s", d->job->mountpoint,
			       vault_err_text(err));
		return;
	}
	/* The kernel ends the session once nobody has the mount; a copy of it
	 * in another mount namespace is not to keep the vault open. */
	kill(getpid(), SIGTERM);
}

/* ---- starting ---- */

const char *vault_daemon_vault_name(const struct vault_place *place,
				    bool *inside)
{
	const size_t len = strlen(place->project);
	const char *name;

	*inside = false;
	if (place->vault[0] == '\0')
		return VAULT_PROJECT_VAULT_NAME;
	if (strncmp(place->vault, place->project, len) != 0 ||
	    (place->vault[len] != '/' && len != 1))
		return NULL;
	name = place->vault + len + (len != 1);
	*inside = name[0] == '\0' || strchr(name, '/') != NULL;
	return name;
}

/* Every open file of the mount is one of ours. */
static void raise_limits(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	setrlimit(RLIMIT_FSIZE, &none); /* the kernel checks the caller's */
	signal(SIGXFSZ, SIG_IGN);
	umask(0); /* the caller's counts */
}

/* What killed two daemons is not opened a third time; the packs hold all. */
static void set_index_aside(const struct vault_place *place)
{
	char aside[64];
	int vaultfd;
	int lockfd = -1;

	if (place->vault[0] != '\0') {
		vaultfd =
			open(place->vault, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		const int fd = open(place->project,
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		vaultfd = openat(fd, VAULT_PROJECT_VAULT_NAME,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
	}
	if (vaultfd < 0)
		return;
	lockfd = openat(vaultfd, "lock", O_RDWR | O_CLOEXEC);
	snprintf(aside, sizeof(aside), "index.aside-%lld",
		 (long long)time(NULL));
	if (lockfd >= 0 && flock(lockfd, LOCK_EX | LOCK_NB) == 0 &&
	    renameat(vaultfd, "index", vaultfd, aside) == 0)
		vault_log_warn("the daemon died twice with the index open: "
			       "set aside as %s, and built anew",
			       aside);
	if (lockfd >= 0)
		close(lockfd);
	close(vaultfd);
}

static vault_err start_capture(struct daemon *d)
{
	struct vault_capture_options o = d->job->options->capture;
	bool inside;

	o.vault_name = vault_daemon_vault_name(d->job->place, &inside);
	return vault_capture_start(d->project->tree, d->project->projectfd,
				   d->project->vaultfd, &o, true,
				   &d->project->capture);
}

static vault_err start_trees(struct daemon *d, const char *socket)
{
	struct vault_view_options vo = {
		.listing = d->job->options->listing,
	};
	struct vault_livefs_options lo = {
		.root = geteuid() == 0,
		.attr_timeout = LIVE_TIMEOUT_S,
		.socket = socket,
	};
	struct stat st;
	vault_err err;
	bool inside;

	lo.vault_name = vault_daemon_vault_name(d->job->place, &inside);
	if (fstat(d->project->projectfd, &st) != 0)
		return vault_err_from_errno(errno);
	vo.owner = st.st_uid;
	vo.group = st.st_gid;
	err = vault_view_create(d->project->tree, d->project->capture,
				d->project->projectfd, &vo, &d->view);
	if (err != VAULT_OK)
		return err;
	return vault_livefs_create(d->project->projectfd, d->project->capture,
				   d->view, &lo, &d->live);
}

static vault_err mount_as_user(struct daemon *d, const char *options)
{
	const char *path = d->job->mountpoint;
	char name[32];
	vault_err err;
	int fd;

	err = vault_mountinfo_mount_by_helper(path, options, &fd);
	if (err != VAULT_OK)
		return err;
	d->by_helper = true;
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	if (fuse_session_mount(d->session, name) == 0)
		return VAULT_OK;
	close(fd);
	return VAULT_ERR_IO;
}

/* What libfuse does itself for a mount it made. A connection that is down has
 * been unmounted, and what lies there now is somebody else's. */
static void unmount_as_user(struct daemon *d)
{
	struct pollfd p = { .fd = fuse_session_fd(d->session), .events = 0 };

	if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0)
		return;
	if (vault_mountinfo_unmount(d->job->mountpoint, true) != VAULT_OK)
		vault_log_warn("%s: could not be unmounted",
			       d->job->mountpoint);
}

static vault_err mount_session(struct daemon *d)
{
	const struct vault_mount_options *o = d->job->options;
	struct vault_buf words = VAULT_BUF_INIT;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	vault_err err;

	err = vault_buf_printf(&words,
			       "fsname=artvault,subtype=%s,default_permissions"
			       "%s%s%s%s",
			       VAULT_MOUNTINFO_SUBTYPE,
			       o->allow_other ? ",allow_other" : "",
			       geteuid() == 0 ? ",suid,dev" : "",
			       o->fuse_options != NULL ? "," : "",
			       o->fuse_options != NULL ? o->fuse_options : "");
	if (err != VAULT_OK || vault_buf_cstr(&words) == NULL ||
	    fuse_opt_add_arg(&args, "artvault") != 0 ||
	    fuse_opt_add_arg(&args, "-o") != 0 ||
	    fuse_opt_add_arg(&args, (const char *)words.data) != 0) {
		err = VAULT_ERR_NOMEM;
		goto out;
	}
	err = VAULT_ERR_IO; /* libfuse has said why on stderr */
	d->session = fuse_session_new(&args, &vault_livefs_ops,
				      sizeof(vault_livefs_ops), d->live);
	if (d->session == NULL)
		goto out;
	if (geteuid() != 0)
		err = mount_as_user(d, (const char *)words.data);
	else if (fuse_session_mount(d->session, d->job->mountpoint) == 0)
		err = VAULT_OK;
out:
	fuse_opt_free_args(&args);
	vault_buf_release(&words);
	return err;
}

static vault_err start_control(struct daemon *d, const char *socket)
{
	struct vault_control_options o = {
		.project = d->project,
		.owner = geteuid(),
		.describe = describe,
		.unmount = unmount,
		.ctx = d,
	};
	struct stat st;

	if (o.owner == 0 && fstat(d->project->projectfd, &st) == 0)
		o.owner = st.st_uid;
	return vault_control_start(socket, &o, &d->control);
}

/* The kernel's own limit is 128 KB; only root may raise it. */
static void raise_readahead(const char *mountpoint)
{
	struct vault_mountinfo at;
	char path[80];
	int fd;

	if (geteuid() != 0 || vault_mountinfo_at(mountpoint, &at) != VAULT_OK)
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		 major(at.dev), minor(at.dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1024", 4) != 4)
		vault_log_debug("%s: %s", path, strerror(errno));
	close(fd);
}

static vault_err start(struct daemon *d)
{
	const struct vault_daemon_job *job = d->job;
	char socket[PATH_MAX];
	vault_err err;

	vault_watch_tell(job->watcherfd, VAULT_WATCH_OPENING);
	if (job->set_index_aside)
		set_index_aside(job->place);
	err = vault_project_open(job->place, true, &d->project);
	if (err != VAULT_OK)
		return err;
	/* For commands that are given absolute paths; never walked into. */
	snprintf(d->project->place.mount, sizeof(d->project->place.mount), "%s",
		 job->mountpoint);
	if (!job->options->foreground)
		vault_logfile_start(d->project->vaultfd);
	err = vault_project_socket_path(
		vault_store_uuid(vault_tree_store(d->project->tree)), true,
		socket);
	if (err == VAULT_OK)
		err = start_capture(d);
	if (err == VAULT_OK)
		err = start_trees(d, socket);
	if (err == VAULT_OK)
		err = mount_session(d);
	if (err != VAULT_OK)
		return err;
	raise_readahead(job->mountpoint);
	return start_control(d, socket);
}

/* ---- serving and ending ---- */

static void signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(how, &set, NULL);
}

static void detach_stdio(void)
{
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	fflush(stderr);
	if (fd < 0)
		return;
	for (int n = 0; n < 3; n++)
		dup2(fd, n);
	close(fd);
}

static int serve(struct daemon *d)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r = -1;

	if (config == NULL || fuse_set_signal_handlers(d->session) != 0)
		goto out;
	fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS);
	fuse_loop_cfg_set_clone_fd(config, 0);
	vault_log_info("%s: mounted", d->job->mountpoint);
	if (!d->job->options->foreground) {
		vault_logfile_quiet();
		detach_stdio();
	}
	vault_watch_tell(d->job->watcherfd, VAULT_WATCH_MOUNTED);
	signals(SIG_UNBLOCK);
	r = fuse_session_loop_mt(d->session, config);
	/* One more must not end us before the vault is closed. */
	signals(SIG_BLOCK);
	fuse_remove_signal_handlers(d->session);
out:
	if (config != NULL)
		fuse_loop_cfg_destroy(config);
	return r;
}

/* A plain unmount promises nothing; what takes no time is done all the same.
 * The real folder shows already. */
static void last_sync(struct vault_capture *c)
{
	struct vault_capture_status st;

	vault_capture_status(c, &st);
	if (st.scanning || st.paused || st.pending == 0 ||
	    st.pending > LAST_SYNC_NAMES)
		return;
	if (vault_capture_sync(c, VAULT_CAUSE_SAVE, NULL, NULL, NULL) !=
	    VAULT_OK)
		vault_log_warn("changes of the last moment were not committed; "
			       "the next mount finds them");
}

static void stop(struct daemon *d, bool served)
{
	vault_control_stop(d->control);
	if (d->session != NULL)
		fuse_session_unmount(d->session);
	if (d->by_helper)
		unmount_as_user(d);
	if (served)
		last_sync(d->project->capture);
	if (d->view != NULL) /* before what its requests wait for goes */
		vault_view_wait(d->view);
	if (d->project != NULL) {
		vault_capture_stop(d->project->capture);
		d->project->capture = NULL;
	}
	vault_view_destroy(d->view);
	if (d->session != NULL)
		fuse_session_destroy(d->session);
	vault_livefs_destroy(d->live);
	if (served)
		vault_log_info("%s: unmounted", d->job->mountpoint);
	vault_logfile_stop();
	vault_project_close(d->project);
	free(d->shadowed);
	pthread_mutex_destroy(&d->lock);
}

int vault_daemon_run(const struct vault_daemon_job *job)
{
	struct daemon d = { .job = job };
	bool served = false;

	pthread_mutex_init(&d.lock, NULL);
	signals(SIG_BLOCK); /* threads begun below leave them to this one */
	raise_limits();
	if (start(&d) == VAULT_OK) {
		/* Ends by a signal or an unmount. Whatever the kernel said
		 * last, nobody is served any more: that is no failure. */
		serve(&d);
		served = true;
	}
	stop(&d, served);
	if (served)
		vault_watch_tell(job->watcherfd, VAULT_WATCH_ENDING);
	return served ? 0 : 1;
}
