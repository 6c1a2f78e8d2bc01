/*
 * Runs a fuzz target over files, for builds without libFuzzer: the corpus is a test.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "rb");
		size_t n;

		if (!in) {
			perror(argv[i]);
			return 1;
		}
		n = fread(data, 1, sizeof(data), in);
		fclose(in);
		LLVMFuzzerTestOneInput(data, n);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
