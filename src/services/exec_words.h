/*
 * Words in texts of the configuration: %{remote_ip} and its like stand for what is known of a
 * connection, and %% for a percent sign.  A % before anything else is only that, as in
 * "date +%s".  Pure.
 */
#ifndef PREFORKD_SERVICES_EXEC_WORDS_H
#define PREFORKD_SERVICES_EXEC_WORDS_H

#include <stdbool.h>

enum exec_word {
	EXEC_WORD_POOL,
	EXEC_WORD_WORKER,
	EXEC_WORD_REMOTE_IP,
	EXEC_WORD_REMOTE_PORT,
	EXEC_WORD_REMOTE_HOST,
	EXEC_WORD_LOCAL_IP,
	EXEC_WORD_LOCAL_PORT,
	EXEC_WORDS
};

/* Is there anything to expand? */
bool exec_words_in(const char *text);

/* Adds the words that stand in it.  -1 with *err: one is not known, or does not end. */
int exec_words_check(const char *text, bool used[EXEC_WORDS], char **err);

/*
 * Of a text that was checked, with the values as they are: what looks like a word in them is
 * none.  NULL: nothing is known, and nothing stands there.  Owned by the caller.
 */
char *exec_words_expand(const char *text, const char *const values[EXEC_WORDS]);

#endif
