/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/readers.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX 16
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13) /* class "idle" */
#define NICE 10

struct crew {
	struct vault_capture *c;
	struct vault_job *jobs;
	size_t n;
	atomic_size_t next;
};

void vault_readers_be_modest(void)
{
	/* Where it is not permitted we are as modest as everybody. */
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
}

static void read_one(struct vault_capture *c, struct vault_job *j)
{
	const struct vault_ingest_request q = {
		.store = vault_tree_store(c->tree),
		.projectfd = c->projectfd,
		.scratchfd = c->vaultfd,
		.path = j->path,
		.ino = j->st.backing.ino,
		.kind = j->st.kind,
		.like = j->has_like ? &j->like : NULL,
		.busy = j->busy,
		.stopping = &c->stopping,
	};

	j->err = vault_ingest_path(&q, &j->result);
}

static void *work(void *arg)
{
	struct crew *crew = arg;

	for (;;) {
		const size_t i = atomic_fetch_add(&crew->next, 1);

		if (i >= crew->n)
			return NULL;
		if (atomic_load(&crew->c->stopping)) {
			crew->jobs[i].err = VAULT_ERR_CANCELLED;
			continue;
		}
		/* Another name of an inode is not read twice. */
		if (crew->jobs[i].twin == 0)
			read_one(crew->c, &crew->jobs[i]);
	}
}

vault_err vault_readers_run(struct vault_capture *c, struct vault_job *jobs,
			    size_t n)
{
	struct crew crew = { .c = c, .jobs = jobs, .n = n };
	pthread_t threads[THREADS_MAX];
	size_t want = c->threads < THREADS_MAX ? c->threads : THREADS_MAX;
	size_t made = 0;

	if (want > n)
		want = n;
	/* One less: the caller reads as well. Their priority is inherited. */
	while (made + 1 < want &&
	       pthread_create(&threads[made], NULL, work, &crew) == 0)
		made++;
	(void)work(&crew);
	for (size_t i = 0; i < made; i++)
		(void)pthread_join(threads[i], NULL);
	return atomic_load(&c->stopping) ? VAULT_ERR_CANCELLED : VAULT_OK;
}
