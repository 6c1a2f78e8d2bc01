/*
 * What becomes of a function that is tried in a child.
 */
#include "unit.h"

#include "trial.h"
#include "util.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int changed;

static int
succeed(void *arg, char **err)
{
	(void)err;
	changed++;
	return *(int *)arg == 42 ? 0 : -1;
}

static int
refuse(void *arg, char **err)
{
	return util_fail(err, "no %s", (const char *)arg);
}

static int
say_nothing(void *arg, char **err)
{
	(void)arg;
	(void)err;
	return -1;
}

static int
say_much(void *arg, char **err)
{
	char *text = malloc(100000);

	(void)arg;
	memset(text, 'x', 99999);
	text[99999] = '\0';
	*err = text;
	return -1;
}

static int
end_it(void *arg, char **err)
{
	(void)err;
	_exit(*(int *)arg);
}

static int
crash(void *arg, char **err)
{
	(void)arg;
	(void)err;
	abort();
}

static int
hang(void *arg, char **err)
{
	(void)arg;
	(void)err;
	for (;;)
		pause();
	return 0;
}

static int
hang_without_descriptors(void *arg, char **err)
{
	util_close_from(0);
	return hang(arg, err);
}

/* Nobody is left behind, and no descriptor. */
static void
try_it(int (*run)(void *, char **), void *arg, int64_t limit_ms, enum trial_result wanted,
       const char *text)
{
	int before = dup(0), after;
	char *err = NULL;

	close(before);
	assert_int_equal(trial_run(run, arg, limit_ms, &err), wanted);
	if (text && !(err && strstr(err, text)))
		fail_msg("\"%s\" instead of \"%s\"", err, text);
	assert_true(text || !err);
	free(err);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void
its_result_and_its_text_are_told(void **state)
{
	int good = 42, bad = 1;
	char what[] = "luck";

	(void)state;
	try_it(succeed, &good, 60000, TRIAL_GOOD, NULL);
	try_it(succeed, &bad, 60000, TRIAL_BAD, "");
	try_it(refuse, what, 60000, TRIAL_BAD, "no luck");
	try_it(say_nothing, NULL, 60000, TRIAL_BAD, "");
	try_it(say_much, NULL, 60000, TRIAL_BAD, "xxxxxxxx");
}

static void
what_it_changes_is_lost(void **state)
{
	int good = 42;

	(void)state;
	changed = 0;
	try_it(succeed, &good, 60000, TRIAL_GOOD, NULL);
	assert_int_equal(changed, 0);
}

static void
its_end_is_told(void **state)
{
	int none = 0, three = 3;

	(void)state;
	try_it(crash, NULL, 60000, TRIAL_ENDED, "killed by signal 6 (Aborted)");
	try_it(end_it, &three, 60000, TRIAL_ENDED,
	       "ended the process when it was tried, with status 3");
	try_it(end_it, &none, 60000, TRIAL_ENDED, "with status 0");
}

static void
one_that_does_not_return_is_ended(void **state)
{
	(void)state;
	try_it(hang, NULL, 1000, TRIAL_ENDED, "not returned within 1 s");
	try_it(hang_without_descriptors, NULL, 60000, TRIAL_ENDED, "killed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_result_and_its_text_are_told),
		cmocka_unit_test(what_it_changes_is_lost),
		cmocka_unit_test(its_end_is_told),
		cmocka_unit_test(one_that_does_not_return_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
