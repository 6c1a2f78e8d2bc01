#include "unit.h"

#include "http_accept.h"
#include "util.h"

#include <string.h>

static int
quality(const char *value, const char *coding)
{
	struct http_field field = { { "Accept-Encoding", 15 },
				    { value, value ? strlen(value) : 0 } };
	struct http_head head = { .fields = &field, .nfields = value != NULL };

	return http_accept_encoding(&head, coding);
}

static void
codings_have_their_quality(void **state)
{
	static const struct {
		const char *value;
		int gzip, br, identity;
	} rows[] = {
		{ NULL, 0, 0, 1000 },
		{ "", 0, 0, 1 },
		{ "gzip", 1000, 0, 1 },
		{ "gzip, br", 1000, 1000, 1 },
		{ "GZip", 1000, 0, 1 },
		{ "x-gzip", 1000, 0, 1 },
		{ "X-GZIP;q=0.5", 500, 0, 1 },
		{ "x-br", 0, 0, 1 },
		{ "gzip, deflate, br, zstd", 1000, 1000, 1 },
		{ "gzip;q=0.5, br;q=0.25", 500, 250, 1 },
		{ "gzip;q=0.001", 1, 0, 1 },
		{ "gzip;q=0", 0, 0, 1 },
		{ "gzip;q=0.000", 0, 0, 1 },
		{ "gzip;q=0.", 0, 0, 1 },
		{ "gzip;q=1.", 1000, 0, 1 },
		{ "gzip;q=1.000", 1000, 0, 1 },
		{ "gzip ; q=0.5", 500, 0, 1 },
		{ "gzip\t;\tQ=0.5", 500, 0, 1 },
		{ ", gzip,, br ,", 1000, 1000, 1 },
		{ "*", 1000, 1000, 1000 },
		{ "*;q=0.5", 500, 500, 500 },
		{ "gzip;q=0.8, *;q=0.1", 800, 100, 100 },
		{ "*;q=0.1, gzip;q=0.8", 800, 100, 100 },
		{ "gzip;q=0, *", 0, 1000, 1000 },
		{ "*;q=0", 0, 0, 0 },
		{ "gzip, *;q=0", 1000, 0, 0 },
		{ "identity;q=0", 0, 0, 0 },
		{ "identity;q=0.5, gzip;q=1.0, *;q=0", 1000, 0, 500 },
		{ "identity", 0, 0, 1000 },
		{ "gzip;q=0, gzip", 0, 0, 1 },
		{ "gzip, x-gzip;q=0", 0, 0, 1 },
		{ "gzip;q=0.5, gzip;q=2", 500, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int gzip = quality(rows[i].value, "gzip"), br = quality(rows[i].value, "br");
		int identity = quality(rows[i].value, "identity");

		if (gzip != rows[i].gzip || br != rows[i].br || identity != rows[i].identity)
			fail_msg("\"%s\": gzip %d, br %d, identity %d", rows[i].value, gzip, br,
				 identity);
	}
}

static void
members_with_a_mistake_are_not_there(void **state)
{
	static const char *const rows[] = {
		"gzip;q=2",      "gzip;q=1.001", "gzip;q=0.0001", "gzip;q=-1",   "gzip;q=.5",
		"gzip;q=",       "gzip;q",       "gzip;",         "gzip;x=1",    "gzip q=1",
		"gzip;q = 1",    "gzip;q=1;q=1", "gzip;q=00",     "gzip;q=0.5x", "\"gzip\"",
		"gzip;q=1.0001", "gzip;;q=1",    "gz ip",         "gzip/1",      "gzip;q= 1",
		"gzip;qq=1",     "gzip;q=\"1\"", ";q=1",          "gzip;q=0.,5", "gzip;q=1e0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char with_others[64];

		if (quality(rows[i], "gzip") != 0)
			fail_msg("\"%s\" is %d", rows[i], quality(rows[i], "gzip"));
		strcpy(with_others, rows[i]);
		strcat(with_others, ", br;q=0.5");
		assert_int_equal(quality(with_others, "br"), 500);
	}
}

static void
several_fields_are_one_list(void **state)
{
	struct http_field fields[] = {
		{ { "accept-encoding", 15 }, { "br;q=0.5", 8 } },
		{ { "Accept", 6 }, { "*", 1 } },
		{ { "Accept-Encoding", 15 }, { "gzip;q=0", 8 } },
		{ { "Accept-Encoding", 15 }, { "*;q=0.2", 7 } },
	};
	struct http_head head = { .fields = fields, .nfields = ARRAY_LEN(fields) };

	(void)state;
	assert_int_equal(http_accept_encoding(&head, "br"), 500);
	assert_int_equal(http_accept_encoding(&head, "gzip"), 0);
	assert_int_equal(http_accept_encoding(&head, "zstd"), 200);
	head.nfields = 2;
	assert_int_equal(http_accept_encoding(&head, "gzip"), 0);
	head.nfields = 0;
	assert_int_equal(http_accept_encoding(&head, "gzip"), 0);
	assert_int_equal(http_accept_encoding(&head, "identity"), 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codings_have_their_quality),
		cmocka_unit_test(members_with_a_mistake_are_not_there),
		cmocka_unit_test(several_fields_are_one_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
