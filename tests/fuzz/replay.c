/* SPDX-License-Identifier: Apache-2.0
 * Runs a fuzz target over the files of its committed corpus, for builds without libFuzzer: argv names files or
 * directories. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int run_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size + 1);
    if (f == NULL || data == NULL || fread(data, 1, size, f) != size) {
        fprintf(stderr, "cannot read %s\n", path);
        if (f) (void)fclose(f);
        free(data);
        return 1;
    }
    (void)fclose(f);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    inputs++;
    return 0;
}

static int run_path(const char *path)
{
    struct stat at;
    if (stat(path, &at) != 0) {
        fprintf(stderr, "cannot find %s\n", path);
        return 1;
    }
    if (!S_ISDIR(at.st_mode)) return run_file(path, (size_t)at.st_size);
    DIR *dir = opendir(path);
    int failed = dir == NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char child[4096];
        if (entry->d_name[0] == '.') continue;
        if (snprintf(child, sizeof child, "%s/%s", path, entry->d_name) >= (int)sizeof child) failed = 1;
        else failed |= run_path(child);
    }
    if (dir) (void)closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) failed |= run_path(argv[i]);
    printf("%u inputs\n", inputs);
    return failed || inputs == 0;
}
