// The kernel as a program, for a processor that is not here: an emulator runs it.
//
// Without arguments it prints the floats in a vector, the bytes of `struct Job` and the values of `struct Layout`. With the path of
// a file it does the job in it and writes its arrays back: the file has `struct Job`, whose pointers mean nothing, and then, for each
// array, the offset of its pointer in the struct, its size in bytes (both as 64-bit integers), and its contents.
#include <cstdint>
#include <cstdio>
#include "rollout.cpp"

int main(int count, char** arguments) {
    if (count == 1) {
        printf("%d %d", lanes, job_size);
        for (size_t k = 0; k < sizeof layout / sizeof(int); k++) printf(" %d", ((const int*)&layout)[k]);
        return 0;
    }
    FILE* file = fopen(arguments[1], "r+b");
    Job job;
    if (!file || fread(&job, sizeof job, 1, file) != 1) return 1;
    struct Header { int64_t offset, size; } header;
    struct Array { long position; std::vector<char> contents; };
    std::vector<Array> arrays;
    while (fread(&header, sizeof header, 1, file) == 1) {
        arrays.push_back({ftell(file), std::vector<char>(header.size)});
        if (fread(arrays.back().contents.data(), 1, header.size, file) != (size_t)header.size) return 1;
        *(char**)((char*)&job + header.offset) = arrays.back().contents.data();
    }
    std::vector<float> partial((size_t)job.members * job.chunks * ((size_t)job.parts * job.weights + DIMS));
    std::vector<char> workspace(job.threads * workspace_size(&job));
    job.partial = partial.data(), job.workspace = workspace.data();
    run(&job);
    for (const Array& array : arrays) {
        fseek(file, array.position, SEEK_SET);
        if (fwrite(array.contents.data(), 1, array.contents.size(), file) != array.contents.size()) return 1;
    }
    return fclose(file) != 0;
}
