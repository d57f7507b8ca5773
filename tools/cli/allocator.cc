// Settings that jemalloc reads at start: freed pages are kept for 20 s, for the next step to use.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:20000,muzzy_decay_ms:20000";
}
