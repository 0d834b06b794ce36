/* SPDX-License-Identifier: Apache-2.0 */
#include "versions/when.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/base/log.h"
#include "versions/when_local.h"

#define ZONE_DIR "/usr/share/zoneinfo/"
#define ZONE_MAX 63 /* vault_store_params.zone */

/* A name as the zone database has them; no way out of its directory. */
static bool zone_name_ok(const char *zone)
{
	static const char others[] = "_+-/";
	size_t n;

	for (n = 0; zone[n] != '\0'; n++) {
		const char c = zone[n];
		const bool word = (c >= 'a' && c <= 'z') ||
				  (c >= 'A' && c <= 'Z') ||
				  (c >= '0' && c <= '9');

		if (!word && strchr(others, c) == NULL)
			return false;
	}
	return n > 0 && n <= ZONE_MAX && zone[0] != '/' && zone[0] != '-';
}

static bool zone_is_utc(const char *zone)
{
	return strcmp(zone, "utc") == 0 || strcmp(zone, "UTC") == 0 ||
	       strcmp(zone, "UTC0") == 0;
}

/* Is there a compiled zone of this name? glibc takes any text for UTC. */
static bool zone_exists(const char *zone)
{
	char path[sizeof(ZONE_DIR) + ZONE_MAX];
	char magic[4];
	bool is;
	int fd;

	if (!zone_name_ok(zone))
		return false;
	snprintf(path, sizeof(path), "%s%s", ZONE_DIR, zone);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	is = read(fd, magic, sizeof(magic)) == sizeof(magic) &&
	     memcmp(magic, "TZif", sizeof(magic)) == 0;
	close(fd);
	return is;
}

vault_err vault_when_set_zone(const char *zone)
{
	const bool utc = zone_is_utc(zone);
	const bool known = utc || zone_exists(zone);

	if (!known)
		vault_log_warn("there is no time zone '%.64s': using UTC",
			       zone);
	if (setenv("TZ", utc || !known ? "UTC0" : zone, 1) != 0)
		return VAULT_ERR_NOMEM;
	tzset();
	return known ? VAULT_OK : VAULT_ERR_SYNTAX;
}

/* "Europe/Berlin" out of a path into the zone database, or the name itself. */
static bool take_zone(const char *text, char *out, size_t size)
{
	const char *in = strstr(text, "zoneinfo/");
	const char *name = in != NULL ? in + strlen("zoneinfo/") : text;

	if (strncmp(name, "posix/", 6) == 0)
		name += 6;
	if (zone_is_utc(name))
		name = "UTC";
	else if (!zone_exists(name))
		return false;
	if (strlen(name) >= size)
		return false;
	memcpy(out, name, strlen(name) + 1);
	return true;
}

/* The first line of a file, without blanks at its end. */
static bool first_line(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	bool got;

	if (f == NULL)
		return false;
	got = fgets(out, (int)size, f) != NULL;
	fclose(f);
	if (got)
		out[strcspn(out, " \t\r\n")] = '\0';
	return got;
}

void vault_when_system_zone(char *out, size_t size)
{
	const char *tz = getenv("TZ");
	char text[PATH_MAX];
	ssize_t n;

	if (tz != NULL && take_zone(tz[0] == ':' ? tz + 1 : tz, out, size))
		return;
	if (first_line("/etc/timezone", text, sizeof(text)) &&
	    take_zone(text, out, size))
		return;
	n = readlink("/etc/localtime", text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		if (take_zone(text, out, size))
			return;
	}
	snprintf(out, size, "UTC");
}

/* Numbers are cut to their width, so that the compiler and we both know that
 * the text fits. */
static unsigned pair(int v)
{
	return (unsigned)v % 100;
}

static unsigned year(int v)
{
	return (unsigned)v % 10000;
}

void vault_when_name(int64_t time, char out[VAULT_WHEN_NAME_MAX])
{
	const int64_t offset = vault_when_local_offset(time);
	const struct vault_when_fields f =
		vault_when_local_fields(time, offset);
	const int minutes = (int)((offset < 0 ? -offset : offset) / 60);
	int n;

	n = snprintf(out, VAULT_WHEN_NAME_MAX, "%04u-%02u-%02u_%02u-%02u-%02u",
		     year(f.year), pair(f.month), pair(f.day), pair(f.hour),
		     pair(f.minute), pair(f.second));
	if (vault_when_local_repeats(time))
		snprintf(out + n, VAULT_WHEN_NAME_MAX - (size_t)n, "%c%02u%02u",
			 offset < 0 ? '-' : '+', pair(minutes / 60),
			 pair(minutes % 60));
}

void vault_when_rfc3339(int64_t time, char out[VAULT_WHEN_NAME_MAX])
{
	const struct vault_when_fields f = vault_when_local_fields(time, 0);

	snprintf(out, VAULT_WHEN_NAME_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		 year(f.year), pair(f.month), pair(f.day), pair(f.hour),
		 pair(f.minute), pair(f.second));
}

void vault_when_gmt(int64_t time, char out[VAULT_WHEN_NAME_MAX])
{
	const struct vault_when_fields f = vault_when_local_fields(time, 0);

	snprintf(out, VAULT_WHEN_NAME_MAX, "@GMT-%04u.%02u.%02u-%02u.%02u.%02u",
		 year(f.year), pair(f.month), pair(f.day), pair(f.hour),
		 pair(f.minute), pair(f.second));
}
