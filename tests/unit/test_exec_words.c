/*
 * Words in the configuration's texts, and what becomes of them.
 */
#include "unit.h"

#include "exec_words.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static const char *const values[EXEC_WORDS] = {
	[EXEC_WORD_POOL] = "%{worker}",       [EXEC_WORD_WORKER] = "42",
	[EXEC_WORD_REMOTE_IP] = "192.0.2.1",  [EXEC_WORD_REMOTE_PORT] = "1025",
	[EXEC_WORD_LOCAL_IP] = "2001:db8::1",
};

static void
what_texts_become(void **state)
{
	static const struct {
		const char *text, *expanded;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "%", "%" },
		{ "+%s %d{ } %", "+%s %d{ } %" },
		{ "%%", "%" },
		{ "%%%", "%%" },
		{ "%%%%", "%%" },
		{ "100%%", "100%" },
		{ "%%{remote_ip}", "%{remote_ip}" },
		{ "%%%{remote_ip}", "%192.0.2.1" },
		{ "%{remote_ip}", "192.0.2.1" },
		{ "a%{remote_ip}b", "a192.0.2.1b" },
		{ "%{remote_ip}:%{remote_port}", "192.0.2.1:1025" },
		{ "{%{worker}}", "{42}" },
		{ "%s%{worker}%s", "%s42%s" },
		{ "[%{local_ip}]", "[2001:db8::1]" },
		{ "%{local_port}", "" }, /* not known */
		{ "<%{local_port}>", "<>" },
		{ "%{pool}", "%{worker}" }, /* a value is not looked at again */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool used[EXEC_WORDS] = { false };
		char *err = NULL, *expanded = exec_words_expand(rows[i].text, values);

		assert_int_equal(exec_words_check(rows[i].text, used, &err), 0);
		assert_string_equal(expanded, rows[i].expanded);
		if (!exec_words_in(rows[i].text))
			assert_string_equal(expanded, rows[i].text);
		free(expanded);
	}
}

static void
which_words_are_used(void **state)
{
	bool used[EXEC_WORDS] = { false };
	char *err = NULL;

	(void)state;
	assert_int_equal(exec_words_check("%%{pool} %{remote_ip}%{worker}", used, &err), 0);
	assert_false(used[EXEC_WORD_POOL]);
	assert_true(used[EXEC_WORD_REMOTE_IP]);
	assert_true(used[EXEC_WORD_WORKER]);
	assert_int_equal(exec_words_check("%{pool}", used, &err), 0);
	assert_true(used[EXEC_WORD_POOL]);
	assert_true(used[EXEC_WORD_WORKER]); /* they add up */
}

static void
what_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "%{remote_ip", "\"%{remote_ip\": the } is missing" },
		{ "a %{pool} %{", "\"%{\": the } is missing" },
		{ "%{}", "there is no word %{}: " },
		{ "%{REMOTE_IP}", "there is no word %{REMOTE_IP}: " },
		{ "%{remote_ip }", "there is no word %{remote_ip }: " },
		{ "%{remote}", "there is no word %{remote}: " },
		{ "%{%{pool}}", "there is no word %{%{pool}: " },
		{ "%{pool", "for a plain %{ write %%{" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool used[EXEC_WORDS] = { false };
		char *err = NULL;

		assert_int_equal(exec_words_check(rows[i].text, used, &err), -1);
		if (!strstr(err, rows[i].why))
			fail_msg("%s: %s", rows[i].text, err);
		free(err);
	}
}

/* A word for each name that the message lists, and the other way round. */
static void
the_message_has_all_words(void **state)
{
	bool used[EXEC_WORDS] = { false };
	char *err = NULL, *list, *end, *rest;
	size_t n = 0;

	(void)state;
	assert_int_equal(exec_words_check("%{x}", used, &err), -1);
	list = strstr(err, "there are ");
	assert_non_null(list);
	list += strlen("there are ");
	end = strchr(list, ';');
	assert_non_null(end);
	*end = '\0';
	for (char *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
		char *why = NULL, *text = util_format("%%{%s}", name);

		assert_int_equal(exec_words_check(text, used, &why), 0);
		free(text);
		n++;
	}
	assert_int_equal(n, EXEC_WORDS);
	for (size_t i = 0; i < EXEC_WORDS; i++)
		assert_true(used[i]);
	free(err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_texts_become),
		cmocka_unit_test(which_words_are_used),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_message_has_all_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
