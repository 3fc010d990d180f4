/* An emulated libnvidia-ml.so.1, for tests: its GPUs draw a power that is a known function of CLOCK_MONOTONIC, so the
 * true energy between any two moments is known in closed form, and every counter and sensor that it shows is derived
 * from that function. The environment variable NVML_EMULATOR names its configuration (lines of key=value, or
 * gpu.3.key=value for one GPU). Beside it lies a control file, mapped by every process: its version says when to read
 * the configuration again, and calls are counted in it.
 *
 * This half: the clock, waves and sensors, the configuration, faults, counts, init and shutdown. nvml.c: the API.
 * A configuration that has been replaced is never freed: a call that hangs may still hold it. */
#define _GNU_SOURCE
#include "emulator.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEVER INFINITY
#define TAU 6.283185307179586

/* ------------------------------------------------------------------------------------------------ waves and sensors */

static uint64_t mix(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static double uniform(uint64_t x) { return (double)(mix(x) >> 11) * 0x1p-53; }

static double gauss(uint64_t x) {
    return sqrt(-2.0 * log(1.0 - uniform(x))) * cos(TAU * uniform(x ^ 0x5555555555555555u));
}

static int point_at(const struct wave *w, double x) { /* the last point at or before x */
    int low = 0, high = w->points - 1;
    while (low < high) {
        int mid = (low + high + 1) / 2;
        if (w->point_s[mid] <= x) low = mid;
        else high = mid - 1;
    }
    return low;
}

static double trace_w(const struct wave *w, double x) {
    int i = point_at(w, x);
    if (x <= w->point_s[0]) return w->point_w[0];
    if (i == w->points - 1 || !w->linear) return w->point_w[i];
    double share = (x - w->point_s[i]) / (w->point_s[i + 1] - w->point_s[i]);
    return w->point_w[i] + share * (w->point_w[i + 1] - w->point_w[i]);
}

static double trace_j(const struct wave *w, double x) {
    int i = point_at(w, x);
    double into = x - w->point_s[i];
    if (x <= w->point_s[0]) return w->point_w[0] * x;
    return w->point_j[i] + into * (w->linear ? 0.5 * (w->point_w[i] + trace_w(w, x)) : w->point_w[i]);
}

static double edge_j(double from_w, double to_w, double length_s, double into_s) {
    if (into_s <= 0.0 || length_s <= 0.0) return 0.0;
    double into = fmin(into_s, length_s);
    return into * (from_w + 0.5 * (to_w - from_w) * into / length_s);
}

static double period_w(const struct wave *w, double x) { /* within one period */
    if (w->kind == SQUARE) return x < w->duty * w->period_s ? w->high_w : w->low_w;
    if (w->kind == TRACE) return trace_w(w, x);
    if (x < w->rise_s) return w->low_w + (w->high_w - w->low_w) * x / w->rise_s;
    if (x < w->rise_s + w->top_s) return w->high_w;
    x -= w->rise_s + w->top_s;
    return x < w->fall_s ? w->high_w + (w->low_w - w->high_w) * x / w->fall_s : w->low_w;
}

static double period_j(const struct wave *w, double x) { /* from a period's start */
    if (w->kind == SQUARE) {
        double on = w->duty * w->period_s;
        return x < on ? w->high_w * x : w->high_w * on + w->low_w * (x - on);
    }
    if (w->kind == TRACE) return trace_j(w, x);
    double top = w->rise_s, fall = top + w->top_s, rest = fall + w->fall_s;
    return edge_j(w->low_w, w->high_w, w->rise_s, x) + w->high_w * fmax(0.0, fmin(x - top, w->top_s)) +
           edge_j(w->high_w, w->low_w, w->fall_s, x - fall) + w->low_w * fmax(0.0, x - rest);
}

static double shape_w(const struct wave *w, double x) {
    if (w->kind == CONSTANT) return w->low_w;
    if (w->kind == SINE) return w->low_w + w->high_w * sin(TAU * x / w->period_s);
    if (w->kind == TRACE && !w->repeat) return trace_w(w, x);
    return period_w(w, x - floor(x / w->period_s) * w->period_s);
}

static double shape_j(const struct wave *w, double x) {
    if (w->kind == CONSTANT) return w->low_w * x;
    if (w->kind == SINE) return w->low_w * x - w->high_w * w->period_s / TAU * cos(TAU * x / w->period_s);
    if (w->kind == TRACE && !w->repeat) return trace_j(w, x);
    double whole = floor(x / w->period_s);
    return whole * period_j(w, w->period_s) + period_j(w, x - whole * w->period_s);
}

static const struct wave *wave_at(const struct gpu *gpu, double at_s) {
    int i = gpu->waves - 1;
    while (i > 0 && gpu->wave[i].at_s > at_s) i--;
    return &gpu->wave[i];
}

static double one_energy_j(const struct wave *w, double at_s) {
    return w->before_j + shape_j(w, at_s - w->at_s + w->phase_s) - shape_j(w, w->phase_s);
}

void waves_sum(struct gpu *gpu) {
    for (int i = 1; i < gpu->waves; i++) gpu->wave[i].before_j = one_energy_j(&gpu->wave[i - 1], gpu->wave[i].at_s);
}

double wave_power_w(const struct gpu *gpu, int scope, double at_s) {
    const struct wave *w = wave_at(gpu, at_s);
    return gpu->scopes[scope].gain * shape_w(w, at_s - w->at_s + w->phase_s) + gpu->scopes[scope].extra_w;
}

double wave_energy_j(const struct gpu *gpu, int scope, double at_s) {
    double own = one_energy_j(wave_at(gpu, at_s), at_s);
    return gpu->scopes[scope].gain * own + gpu->scopes[scope].extra_w * (at_s - gpu->wave[0].at_s);
}

double sensor_update_s(const struct sensor *s, int64_t index) {
    double at_s = s->phase_s + (double)index * s->period_s;
    return s->jitter_s > 0.0 ? at_s + s->jitter_s * uniform((uint64_t)index * 64u + (uint64_t)s->salt) : at_s;
}

double sensor_updated_s(const struct sensor *s, double at_s, int64_t *index) {
    if (s->period_s <= 0.0) {
        *index = (int64_t)(at_s * 1e6);
        return at_s;
    }
    *index = (int64_t)floor((at_s - s->phase_s) / s->period_s);
    if (sensor_update_s(s, *index) > at_s) *index -= 1;
    else if (sensor_update_s(s, *index + 1) <= at_s) *index += 1; /* the division was rounded down */
    return sensor_update_s(s, *index);
}

double sensor_mean_w(const struct gpu *gpu, int scope, const struct sensor *s, double updated_s) {
    if (s->window_s <= 0.0) return wave_power_w(gpu, scope, updated_s);
    return (wave_energy_j(gpu, scope, updated_s) - wave_energy_j(gpu, scope, updated_s - s->window_s)) / s->window_s;
}

static double noisy_w(const struct configuration *all, int which, int scope, const struct sensor *s, int64_t index,
                      double mean_w) {
    double shown = s->gain * mean_w + s->offset_w;
    if (s->noise_w > 0.0) {
        uint64_t key = mix(all->seed * 4096u + (uint64_t)(which * 64 + scope * 16 + s->salt)) ^ (uint64_t)index;
        shown += s->noise_w * gauss(key);
    }
    return fmax(0.0, shown);
}

double sensor_shown_w(const struct configuration *all, int which, int scope, const struct sensor *s, double at_s,
                      double *updated_s) {
    int64_t index;
    *updated_s = sensor_updated_s(s, at_s, &index);
    return noisy_w(all, which, scope, s, index, sensor_mean_w(&all->gpu[which], scope, s, *updated_s));
}

static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

/* Energy that a counter has seen which looks at the last window of each period alone. */
static double windows_j(struct gpu *gpu, int scope, double from_s, int64_t to) {
    pthread_mutex_lock(&adding);
    int64_t first;
    sensor_updated_s(&gpu->counting, from_s, &first);
    if (gpu->added_from_s != from_s || gpu->added_to > to) {
        gpu->added_from_s = from_s;
        gpu->added_j = 0.0;
        gpu->added_to = first;
    }
    for (; gpu->added_to < to; gpu->added_to++)
        gpu->added_j += gpu->counting.period_s * sensor_mean_w(gpu, scope, &gpu->counting,
                                                               sensor_update_s(&gpu->counting, gpu->added_to + 1));
    double sum = gpu->added_j;
    pthread_mutex_unlock(&adding);
    return sum;
}

uint64_t counter_shown_mj(struct gpu *gpu, int scope, double at_s, double *updated_s) {
    int64_t index;
    *updated_s = sensor_updated_s(&gpu->counting, fmin(at_s, gpu->counter_stuck_at_s), &index);
    double from_s = gpu->loaded_at_s, start_mj = gpu->counter_start_mj, seen_j = 0.0;
    for (int i = 0; i < gpu->resets; i++)
        if (gpu->reset_at_s[i] <= at_s && gpu->reset_at_s[i] >= from_s) {
            from_s = gpu->reset_at_s[i];
            start_mj = 0.0;
        }
    if (*updated_s > from_s)
        seen_j = gpu->counting.window_s > 0.0 ? windows_j(gpu, scope, from_s, index)
                                              : wave_energy_j(gpu, scope, *updated_s) - wave_energy_j(gpu, scope, from_s);
    double mj = floor(start_mj + gpu->counting.gain * seen_j * 1e3);
    if (gpu->counter_wrap_mj > 0.0) mj = fmod(mj, gpu->counter_wrap_mj);
    return mj > 0.0 ? (uint64_t)mj : 0u;
}

/* ---------------------------------------------------------------------------------------------------- configuration */

#define AS_NAME(name) #name,
static const char *const NAMES[] = {FUNCTIONS(AS_NAME)};

const char *function_name(int function) { return NAMES[function]; }

enum type { DOUBLE, INT, BOOL, TEXT };

#define GPU_KEY(key, type, member) {key, type, offsetof(struct gpu, member), sizeof(((struct gpu *)0)->member)}
static const struct key {
    const char *name;
    enum type type;
    size_t offset, size;
} KEYS[] = {
    GPU_KEY("name", TEXT, name),
    GPU_KEY("uuid", TEXT, uuid),
    GPU_KEY("serial", TEXT, serial),
    GPU_KEY("pci_domain", INT, domain),
    GPU_KEY("pci_bus", INT, bus),
    GPU_KEY("pci_device", INT, device),
    GPU_KEY("pci_device_id", INT, pci_device_id),
    GPU_KEY("minor", INT, minor),
    GPU_KEY("architecture", INT, architecture),
    GPU_KEY("brand", INT, brand),
    GPU_KEY("clock_mhz", INT, clock_mhz),
    GPU_KEY("max_clock_mhz", INT, max_clock_mhz),
    GPU_KEY("performance_state", INT, performance_state),
    GPU_KEY("capability_major", INT, capability_major),
    GPU_KEY("capability_minor", INT, capability_minor),
    GPU_KEY("memory_mb", DOUBLE, memory_mb),
    GPU_KEY("memory_used_mb", DOUBLE, memory_used_mb),
    GPU_KEY("temperature_c", DOUBLE, temperature_c),
    GPU_KEY("temperature_c_per_w", DOUBLE, temperature_c_per_w),
    GPU_KEY("limit_w", DOUBLE, limit_w),
    GPU_KEY("enforced_limit_w", DOUBLE, enforced_limit_w),
    GPU_KEY("default_limit_w", DOUBLE, default_limit_w),
    GPU_KEY("least_limit_w", DOUBLE, least_limit_w),
    GPU_KEY("most_limit_w", DOUBLE, most_limit_w),
    GPU_KEY("idle_w", DOUBLE, idle_w),
    GPU_KEY("busy_w", DOUBLE, busy_w),
    GPU_KEY("utilization", DOUBLE, utilization),
    GPU_KEY("memory_utilization", DOUBLE, memory_utilization),
    GPU_KEY("usage", BOOL, usage.supported),
    GPU_KEY("average", BOOL, average.supported),
    GPU_KEY("instant", BOOL, instant.supported),
    GPU_KEY("samples", BOOL, samples.supported),
    GPU_KEY("load", BOOL, load.supported),
    GPU_KEY("usage_scope", INT, usage_scope),
    GPU_KEY("samples_depth", INT, samples_depth),
    GPU_KEY("stamp_at_call", BOOL, stamp_at_call),
    GPU_KEY("scope_gpu", BOOL, scopes[SCOPE_GPU].supported),
    GPU_KEY("scope_module", BOOL, scopes[SCOPE_MODULE].supported),
    GPU_KEY("scope_memory", BOOL, scopes[SCOPE_MEMORY].supported),
    GPU_KEY("scope_base", BOOL, scopes[SCOPE_BASE].supported),
    GPU_KEY("module_gain", DOUBLE, scopes[SCOPE_MODULE].gain),
    GPU_KEY("module_extra_w", DOUBLE, scopes[SCOPE_MODULE].extra_w),
    GPU_KEY("memory_gain", DOUBLE, scopes[SCOPE_MEMORY].gain),
    GPU_KEY("memory_extra_w", DOUBLE, scopes[SCOPE_MEMORY].extra_w),
    GPU_KEY("base_gain", DOUBLE, scopes[SCOPE_BASE].gain),
    GPU_KEY("base_extra_w", DOUBLE, scopes[SCOPE_BASE].extra_w),
    GPU_KEY("counter", BOOL, counter),
    GPU_KEY("total_energy_field", BOOL, total_energy_field),
    GPU_KEY("energy_field", BOOL, energy_field),
    GPU_KEY("counter_scope", INT, counter_scope),
    GPU_KEY("counter_start_mj", DOUBLE, counter_start_mj),
    GPU_KEY("counter_stuck_at_s", DOUBLE, counter_stuck_at_s),
    GPU_KEY("counter_wrap_mj", DOUBLE, counter_wrap_mj),
    GPU_KEY("loaded_at_s", DOUBLE, loaded_at_s),
    GPU_KEY("lost_at_s", DOUBLE, lost_at_s),
    GPU_KEY("back_at_s", DOUBLE, back_at_s),
    GPU_KEY("c2c", BOOL, c2c),
    GPU_KEY("mig", BOOL, mig_mode),
    GPU_KEY("mig_error", INT, mig_error),
};

static const struct sensor_key {
    const char *prefix;
    size_t offset;
} SENSORS[] = {
    {"usage_", offsetof(struct gpu, usage)},     {"average_", offsetof(struct gpu, average)},
    {"instant_", offsetof(struct gpu, instant)}, {"samples_", offsetof(struct gpu, samples)},
    {"load_", offsetof(struct gpu, load)},       {"counter_", offsetof(struct gpu, counting)},
};

#define SENSOR_PART(name, member, scale) {name, offsetof(struct sensor, member), scale}
static const struct sensor_part {
    const char *name;
    size_t offset;
    double scale;
} PARTS[] = {
    SENSOR_PART("window_ms", window_s, 1e-3), SENSOR_PART("period_ms", period_s, 1e-3),
    SENSOR_PART("phase_ms", phase_s, 1e-3),   SENSOR_PART("jitter_ms", jitter_s, 1e-3),
    SENSOR_PART("gain", gain, 1.0),           SENSOR_PART("offset_w", offset_w, 1.0),
    SENSOR_PART("noise_w", noise_w, 1.0),
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static bool number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0';
}

static bool numbers_file(struct wave *w, const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return false;
    int room = 256;
    w->point_s = malloc(sizeof(double) * (size_t)room);
    w->point_w = malloc(sizeof(double) * (size_t)room);
    char line[256];
    double s, watts;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lf%*[, \t]%lf", &s, &watts) != 2) continue; /* a header or a comment */
        if (w->points == room) {
            room *= 2;
            w->point_s = realloc(w->point_s, sizeof(double) * (size_t)room);
            w->point_w = realloc(w->point_w, sizeof(double) * (size_t)room);
        }
        w->point_s[w->points] = s;
        w->point_w[w->points++] = watts;
    }
    fclose(file);
    if (w->points < 2 || w->point_s[0] != 0.0) return false;
    w->point_j = calloc((size_t)w->points, sizeof(double));
    for (int i = 1; i < w->points; i++) {
        double length = w->point_s[i] - w->point_s[i - 1];
        if (length <= 0.0) return false;
        w->point_j[i] = w->point_j[i - 1] +
                        length * (w->linear ? 0.5 * (w->point_w[i - 1] + w->point_w[i]) : w->point_w[i - 1]);
    }
    w->period_s = w->point_s[w->points - 1];
    return true;
}

/* "square low_w=100 high_w=700 period_s=1 duty=0.5 phase_s=0"; a trace's file=PATH goes last, to the line's end */
static bool wave_read(struct wave *w, char *text) {
    static const char *const kinds[] = {"constant", "square", "sine", "trapezoid", "trace"};
    static const struct {
        const char *name;
        size_t offset;
    } parts[] = {
        {"w", offsetof(struct wave, low_w)},           {"low_w", offsetof(struct wave, low_w)},
        {"mean_w", offsetof(struct wave, low_w)},      {"high_w", offsetof(struct wave, high_w)},
        {"amplitude_w", offsetof(struct wave, high_w)}, {"period_s", offsetof(struct wave, period_s)},
        {"phase_s", offsetof(struct wave, phase_s)},   {"duty", offsetof(struct wave, duty)},
        {"rise_s", offsetof(struct wave, rise_s)},     {"top_s", offsetof(struct wave, top_s)},
        {"fall_s", offsetof(struct wave, fall_s)},
    };
    double at_s = w->at_s;
    *w = (struct wave){.at_s = at_s, .duty = 0.5, .period_s = 1.0};
    char *file = strstr(text, " file="), *rest;
    if (file) {
        *file = '\0';
        file += strlen(" file=");
    }
    char *word = strtok_r(text, " ", &rest);
    int kind = 0;
    while (kind < COUNT(kinds) && (!word || strcmp(word, kinds[kind]) != 0)) kind++;
    if (kind == COUNT(kinds)) return false;
    w->kind = (enum wave_kind)kind;
    while ((word = strtok_r(NULL, " ", &rest))) {
        char *equals = strchr(word, '=');
        double value;
        if (!equals || !number(equals + 1, &value)) return false;
        *equals = '\0';
        if (strcmp(word, "linear") == 0) w->linear = value != 0.0;
        else if (strcmp(word, "repeat") == 0) w->repeat = value != 0.0;
        else {
            int i = 0;
            while (i < COUNT(parts) && strcmp(word, parts[i].name) != 0) i++;
            if (i == COUNT(parts)) return false;
            *(double *)((char *)w + parts[i].offset) = value;
        }
    }
    if (w->kind == TRACE) return file && numbers_file(w, file);
    return !file && w->period_s > 0.0 && w->rise_s + w->top_s + w->fall_s <= w->period_s;
}

static bool wave_add(struct gpu *gpu, double at_s, char *text) {
    struct wave wave = {.at_s = at_s};
    if (!wave_read(&wave, text)) return false;
    if (gpu->waves == gpu->waves_room) {
        gpu->waves_room = 2 * gpu->waves_room + 4;
        gpu->wave = realloc(gpu->wave, sizeof(struct wave) * (size_t)gpu->waves_room);
    }
    int i = gpu->waves++;
    for (; i > 0 && gpu->wave[i - 1].at_s > at_s; i--) gpu->wave[i] = gpu->wave[i - 1];
    gpu->wave[i] = wave;
    return true;
}

/* pid:memory_mb:sm_share:gpu_instance:compute_instance,... ("self": whoever asks) */
static bool processes_read(struct process *list, int *count, char *text) {
    char *rest;
    *count = 0;
    for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (*count == MAX_PROCESSES) return false;
        struct process *p = &list[(*count)++];
        *p = (struct process){.memory_mb = 512.0, .sm_share = 1.0, .gpu_instance = ~0u, .compute_instance = ~0u};
        if (strncmp(one, "self", 4) == 0) {
            p->pid = 0;
            one += 4;
        } else
            p->pid = (unsigned)strtoul(one, &one, 10);
        if (*one && sscanf(one, ":%lf:%lf:%u:%u", &p->memory_mb, &p->sm_share, &p->gpu_instance,
                           &p->compute_instance) < 1)
            return false;
    }
    return true;
}

/* uuid:gpu_instance:compute_instance:gpu_slices:compute_slices:memory_mb:multiprocessors,... */
static bool migs_read(struct gpu *gpu, char *text) {
    char *rest;
    gpu->migs = 0;
    for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (gpu->migs == MAX_MIG) return false;
        struct mig *m = &gpu->mig[gpu->migs++];
        if (sscanf(one, "%95[^:]:%u:%u:%u:%u:%lf:%u", m->uuid, &m->gpu_instance, &m->compute_instance, &m->gpu_slices,
                   &m->compute_slices, &m->memory_mb, &m->multiprocessors) != 7)
            return false;
    }
    return true;
}

static bool resets_read(struct gpu *gpu, char *text) {
    char *rest;
    gpu->resets = 0;
    for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
        if (gpu->resets == MAX_RESETS || !number(one, &gpu->reset_at_s[gpu->resets++])) return false;
    return true;
}

static bool gpu_key(struct gpu *gpu, const char *key, char *value, bool own) {
    if (strncmp(key, "wave", 4) == 0 && (key[4] == '\0' || key[4] == '@')) {
        double at_s = 0.0;
        if (key[4] && !number(key + 5, &at_s)) return false;
        if (own && !gpu->own_waves) {
            gpu->own_waves = true;
            gpu->waves = gpu->waves_room = 0;
            gpu->wave = NULL;
        }
        return wave_add(gpu, at_s, value);
    }
    if (strcmp(key, "processes") == 0) return processes_read(gpu->process, &gpu->processes, value);
    if (strcmp(key, "graphics_processes") == 0) return processes_read(gpu->graphic, &gpu->graphics, value);
    if (strcmp(key, "mig_devices") == 0) return migs_read(gpu, value);
    if (strcmp(key, "reset_at_s") == 0) return resets_read(gpu, value);
    double figure;
    for (int i = 0; i < COUNT(KEYS); i++) {
        if (strcmp(key, KEYS[i].name) != 0) continue;
        void *place = (char *)gpu + KEYS[i].offset;
        if (KEYS[i].type == TEXT) {
            snprintf(place, KEYS[i].size, "%s", value);
            return true;
        }
        if (!number(value, &figure)) return false;
        if (KEYS[i].type == DOUBLE) *(double *)place = figure;
        else if (KEYS[i].type == INT) *(int *)place = (int)figure;
        else *(bool *)place = figure != 0.0;
        return true;
    }
    for (int i = 0; i < COUNT(SENSORS); i++) {
        size_t length = strlen(SENSORS[i].prefix);
        if (strncmp(key, SENSORS[i].prefix, length) != 0) continue;
        for (int j = 0; j < COUNT(PARTS); j++)
            if (strcmp(key + length, PARTS[j].name) == 0 && number(value, &figure)) {
                *(double *)((char *)gpu + SENSORS[i].offset + PARTS[j].offset) = figure * PARTS[j].scale;
                return true;
            }
    }
    return false;
}

/* A family: "nvmlInit" stands for nvmlInit_v2 and nvmlInitWithFlags too, "nvmlDeviceGet*" for whatever begins so. */
static bool names_function(const char *name, const char *function) {
    size_t length = strlen(name);
    if (length && name[length - 1] == '*') return strncmp(name, function, length - 1) == 0;
    if (strncmp(name, function, length) != 0) return false;
    const char *tail = function + length;
    return *tail == '\0' || strncmp(tail, "_v", 2) == 0 || strcmp(tail, "WithFlags") == 0;
}

/* fault=NAME error:3 from:T until:T delay_us:500 hang:1 probability:0.1 skip:3 times:1 */
static bool fault_read(struct configuration *all, int gpu, char *text) {
    char *rest, *word = strtok_r(text, " ", &rest);
    if (!word) return false;
    struct fault *fault = calloc(1, sizeof *fault);
    fault->gpu = gpu;
    fault->from_s = -NEVER;
    fault->until_s = NEVER;
    fault->probability = 1.0;
    fault->times = INT64_MAX;
    bool known = false;
    for (int i = 0; i < FUNCTION_COUNT; i++)
        if (names_function(word, NAMES[i])) known = fault->function[i] = all->faulty[i] = true;
    while (known && (word = strtok_r(NULL, " ", &rest))) {
        char *colon = strchr(word, ':');
        double value;
        if (!colon || !number(colon + 1, &value)) return false;
        *colon = '\0';
        if (strcmp(word, "error") == 0) fault->error = (int)value;
        else if (strcmp(word, "from") == 0) fault->from_s = value;
        else if (strcmp(word, "until") == 0) fault->until_s = value;
        else if (strcmp(word, "delay_us") == 0) fault->delay_us = value;
        else if (strcmp(word, "hang") == 0) fault->hang = value != 0.0;
        else if (strcmp(word, "probability") == 0) fault->probability = value;
        else if (strcmp(word, "skip") == 0) fault->skip = (int64_t)value;
        else if (strcmp(word, "times") == 0) fault->times = (int64_t)value;
        else return false;
    }
    struct fault **last = &all->faults;
    while (*last) last = &(*last)->next;
    *last = fault;
    return known;
}

static void gpu_defaults(struct gpu *gpu, int which) {
    snprintf(gpu->name, sizeof gpu->name, "NVIDIA Emulated GPU");
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%08x-0000-4000-8000-%012x", 0xe0000000u + (unsigned)which, which);
    snprintf(gpu->serial, sizeof gpu->serial, "13200000%05d", which);
    gpu->bus = 1u + (unsigned)which;
    gpu->minor = (unsigned)which;
    gpu->architecture = 9;
    gpu->capability_major = 9;
    gpu->pci_device_id = 0x233010deu;
    gpu->clock_mhz = 1410;
    gpu->max_clock_mhz = 1980;
    gpu->memory_mb = 81559.0;
    gpu->memory_used_mb = 1024.0;
    gpu->temperature_c = 30.0;
    gpu->temperature_c_per_w = 0.05;
    gpu->limit_w = gpu->enforced_limit_w = gpu->default_limit_w = gpu->most_limit_w = 700.0;
    gpu->least_limit_w = 200.0;
    gpu->idle_w = 68.0;
    gpu->busy_w = 700.0;
    gpu->utilization = gpu->memory_utilization = -1.0; /* from the wave */
    struct sensor *sensors[] = {&gpu->usage, &gpu->average, &gpu->instant, &gpu->samples, &gpu->load, &gpu->counting};
    for (int i = 0; i < COUNT(sensors); i++)
        *sensors[i] = (struct sensor){.supported = true, .window_s = 0.1, .period_s = 0.1, .gain = 1.0, .salt = i + 1};
    gpu->counting.window_s = 0.0;
    gpu->samples_depth = 120;
    for (int i = 0; i < SCOPES; i++) gpu->scopes[i].gain = 1.0;
    gpu->scopes[SCOPE_GPU].supported = true;
    gpu->counter = gpu->total_energy_field = gpu->energy_field = true;
    gpu->counter_stuck_at_s = gpu->lost_at_s = gpu->back_at_s = NEVER;
    gpu->mig_error = NOT_SUPPORTED;
    char wave[] = "constant w=300";
    wave_add(gpu, 0.0, wave);
    gpu->waves = 0; /* room kept: the first wave line takes its place */
}

static bool line_read(struct configuration *all, char *key, char *value, bool own_lines) {
    if (strncmp(key, "gpu.", 4) == 0) {
        char *rest;
        long which = strtol(key + 4, &rest, 10);
        if (*rest != '.' || which < 0 || which >= MAX_GPUS) return false;
        if (!own_lines) return true;
        if (strcmp(rest + 1, "fault") == 0) return fault_read(all, (int)which, value);
        return gpu_key(&all->gpu[which], rest + 1, value, true);
    }
    if (own_lines) return true;
    double figure;
    if (strcmp(key, "driver") == 0) snprintf(all->driver, sizeof all->driver, "%s", value);
    else if (strcmp(key, "nvml") == 0) snprintf(all->nvml, sizeof all->nvml, "%s", value);
    else if (strcmp(key, "fault") == 0) return fault_read(all, -1, value);
    else if (strcmp(key, "gpus") == 0 || strcmp(key, "cuda") == 0 || strcmp(key, "seed") == 0 ||
             strcmp(key, "realtime_skew_s") == 0) {
        if (!number(value, &figure)) return false;
        if (key[0] == 'g') all->gpus = figure < 0 ? 0 : figure > MAX_GPUS ? MAX_GPUS : (int)figure;
        if (key[0] == 'c') all->cuda_version = (int)figure;
        if (key[0] == 's') all->seed = (uint64_t)figure;
        if (key[0] == 'r') all->realtime_skew_s = figure;
    } else {
        char copy[1024];
        for (int i = 0; i < MAX_GPUS; i++) {
            snprintf(copy, sizeof copy, "%s", value);
            if (!gpu_key(&all->gpu[i], key, copy, false)) return false;
        }
    }
    return true;
}

struct configuration *configuration_read(const char *path, char *message, int room) {
    FILE *file = fopen(path, "r");
    if (!file) {
        snprintf(message, (size_t)room, "%s cannot be opened", path);
        return NULL;
    }
    struct configuration *all = calloc(1, sizeof *all);
    all->gpus = 1;
    all->cuda_version = 13000;
    snprintf(all->driver, sizeof all->driver, "580.95.05");
    snprintf(all->nvml, sizeof all->nvml, "13.580.95.05");
    for (int i = 0; i < MAX_GPUS; i++) gpu_defaults(&all->gpu[i], i);
    char line[4096], copy[4096];
    for (int pass = 0; pass < 2; pass++) { /* what holds for all GPUs first, wherever it stands */
        rewind(file);
        while (fgets(line, sizeof line, file)) {
            line[strcspn(line, "\r\n")] = '\0';
            if (line[0] == '\0' || line[0] == '#') continue;
            strcpy(copy, line);
            char *equals = strchr(line, '=');
            if (equals) *equals = '\0';
            if (!equals || !line_read(all, line, equals + 1, pass == 1)) {
                snprintf(message, (size_t)room, "%s: cannot read '%.160s'", path, copy);
                fclose(file);
                return NULL;
            }
        }
    }
    fclose(file);
    for (int i = 0; i < MAX_GPUS; i++) {
        if (all->gpu[i].waves == 0) all->gpu[i].waves = 1;
        waves_sum(&all->gpu[i]);
    }
    return all;
}

/* ------------------------------------------------------------------------------------------------ the library's state */

static struct control own_control;
static struct control *_Atomic control = &own_control;
static struct configuration *_Atomic configuration;
static char mapped_path[4096];
static bool versioned; /* a control file says when to read again; without one, the configuration's mtime does */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int references;
static _Atomic int in_flight;
static _Atomic bool forked;
static struct client *_Atomic client;
static double realtime_offset_s;
static _Atomic int64_t next_look_ns;
static struct timespec modified;

static int64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double clock_monotonic_s(void) { return (double)monotonic_ns() * 1e-9; }

static void realtime_read(void) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct timespec real;
        int64_t before = monotonic_ns();
        clock_gettime(CLOCK_REALTIME, &real);
        int64_t after = monotonic_ns();
        if (after - before >= best) continue;
        best = after - before;
        realtime_offset_s = (double)((int64_t)real.tv_sec * 1000000000 + real.tv_nsec - (before + after) / 2) * 1e-9;
    }
}

int64_t realtime_us(const struct call *call, double at_s) {
    return (int64_t)floor((at_s + realtime_offset_s + call->all->realtime_skew_s) * 1e6);
}

static void note(uint64_t kind, uint64_t value) {
    uint64_t place = atomic_fetch_add(&control->events_count, 1) % MAX_EVENTS;
    control->events[place] = (struct event){monotonic_ns(), (uint64_t)getpid(), kind, value};
}

static struct client *own_client(void) {
    struct client *mine = atomic_load_explicit(&client, memory_order_relaxed);
    if (mine) return mine;
    uint64_t pid = (uint64_t)getpid();
    for (int i = 0; i < MAX_CLIENTS; i++) {
        uint64_t none = 0;
        mine = &control->clients[i];
        if (atomic_compare_exchange_strong(&mine->pid, &none, pid) || none == pid) break;
    }
    if (!atomic_load(&mine->first_ns)) atomic_store(&mine->first_ns, monotonic_ns());
    atomic_store(&client, mine);
    return mine;
}

static void after_fork(void) {
    pthread_mutex_init(&guard, NULL);
    pthread_mutex_init(&adding, NULL);
    atomic_store(&client, NULL);
    atomic_store(&in_flight, 0);
    if (atomic_exchange(&references, 0) > 0) {
        atomic_store(&forked, true);
        atomic_fetch_add(&control->forks, 1);
        note(EVENT_FORKED, (uint64_t)getppid());
    }
}

__attribute__((constructor)) static void loaded(void) { pthread_atfork(NULL, NULL, after_fork); }

static void control_map(const char *path) {
    char beside[4200];
    snprintf(mapped_path, sizeof mapped_path, "%s", path);
    snprintf(beside, sizeof beside, "%s.control", path);
    struct control *mapped = MAP_FAILED;
    struct stat is;
    int fd = open(beside, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        if (fstat(fd, &is) == 0 && is.st_size >= (off_t)sizeof(struct control))
            mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    versioned = mapped != MAP_FAILED;
    struct control *now = versioned ? mapped : &own_control;
    for (int i = 0; i < FUNCTION_COUNT; i++) snprintf(now->functions[i].name, 64, "%s", NAMES[i]);
    now->size = sizeof(struct control);
    atomic_store(&control, now);
    atomic_store(&client, NULL);
    atomic_store(&configuration, NULL);
}

static const char *control_follow(void) { /* a process may turn to another host while it has none open */
    const char *path = getenv("NVML_EMULATOR");
    pthread_mutex_lock(&guard);
    if (path && atomic_load(&references) == 0 && strcmp(path, mapped_path) != 0) control_map(path);
    pthread_mutex_unlock(&guard);
    return path;
}

static struct configuration *read_again(void) {
    pthread_mutex_lock(&guard);
    struct configuration *now = atomic_load(&configuration);
    uint64_t version = atomic_load(&control->version);
    if (!now || now->version != version) {
        struct configuration *fresh = configuration_read(mapped_path, control->message, sizeof control->message);
        if (fresh) {
            fresh->version = version;
            atomic_store(&configuration, fresh);
            atomic_fetch_add(&control->reloads, 1);
        } else {
            atomic_fetch_add(&control->configuration_errors, 1);
            fprintf(stderr, "NVML emulator: %s\n", control->message);
            if (now) now->version = version; /* goes on with what it had */
        }
        now = atomic_load(&configuration);
    }
    pthread_mutex_unlock(&guard);
    return now;
}

static struct configuration *current(void) {
    if (!versioned) {
        int64_t now_ns = monotonic_ns(), due = atomic_load(&next_look_ns);
        struct stat is;
        if (now_ns >= due && atomic_compare_exchange_strong(&next_look_ns, &due, now_ns + 5000000) &&
            stat(mapped_path, &is) == 0 &&
            (is.st_mtim.tv_sec != modified.tv_sec || is.st_mtim.tv_nsec != modified.tv_nsec)) {
            modified = is.st_mtim;
            atomic_fetch_add(&control->version, 1);
        }
    }
    struct configuration *now = atomic_load_explicit(&configuration, memory_order_acquire);
    if (now && now->version == atomic_load_explicit(&control->version, memory_order_acquire)) return now;
    return read_again();
}

/* ----------------------------------------------------------------------------------------------------------- a call */

static char handles[MAX_GPUS][1 + MAX_MIG]; /* an address each */

const void *handle_of(int which, int instance) { return &handles[which][1 + instance]; }

static void sleep_us(double us) {
    if (us < 100.0) { /* a sleep would take longer */
        int64_t until = monotonic_ns() + (int64_t)(us * 1e3);
        while (monotonic_ns() < until) {}
        return;
    }
    struct timespec t = {(time_t)(us / 1e6), (long)(fmod(us, 1e6) * 1e3)};
    while (nanosleep(&t, &t) != 0) {}
}

static bool concerns(const struct fault *fault, const struct call *call, bool own_only, double now_s) {
    if (!fault->function[call->function] || now_s < fault->from_s || now_s >= fault->until_s) return false;
    return fault->gpu == call->which || (fault->gpu < 0 && !own_only);
}

static bool hangs(const struct call *call, bool own_only) {
    double now_s = clock_monotonic_s();
    for (const struct fault *f = call->all->faults; f; f = f->next)
        if (f->hang && concerns(f, call, own_only, now_s)) return true;
    return false;
}

/* Delays, hangs and errors asked for. `own_only`: those of a GPU, where those of all have been told already. */
static bool faults_pass(struct call *call, bool own_only) {
    if (!call->all->faulty[call->function]) return true;
    int error = SUCCESS;
    bool hanging = false;
    for (struct fault *f = call->all->faults; f; f = f->next) {
        if (!concerns(f, call, own_only, call->now_s)) continue;
        int64_t nth = atomic_fetch_add(&f->calls, 1);
        if (nth < f->skip || nth - f->skip >= f->times) continue;
        if (f->probability < 1.0 && uniform(call->all->seed * 7919u + (uint64_t)nth) >= f->probability) continue;
        if (f->delay_us > 0.0) sleep_us(f->delay_us);
        if (f->hang) hanging = true;
        if (f->error) error = f->error;
    }
    while (hanging && hangs(call, own_only)) {
        sleep_us(2000.0);
        call->all = current();
    }
    call->now_s = clock_monotonic_s();
    call->result = error;
    return error == SUCCESS;
}

static void count(struct call *call) {
    uint64_t most = atomic_load_explicit(&control->most_in_flight, memory_order_relaxed);
    uint64_t now = (uint64_t)atomic_fetch_add(&in_flight, 1) + 1;
    while (now > most && !atomic_compare_exchange_weak(&control->most_in_flight, &most, now)) {}
    struct client *mine = own_client();
    atomic_fetch_add_explicit(&control->functions[call->function].calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&mine->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&mine->in_flight, 1, memory_order_relaxed);
    atomic_store_explicit(&mine->last_ns, monotonic_ns(), memory_order_relaxed);
}

static bool initialized(struct call *call) {
    if (atomic_load(&references) > 0) return true;
    call->result = UNINITIALIZED;
    atomic_fetch_add(&control->uninitialized_calls, 1);
    note(EVENT_UNINITIALIZED, (uint64_t)call->function);
    return false;
}

static bool present(struct call *call) {
    if (call->now_s < call->gpu->lost_at_s || call->now_s >= call->gpu->back_at_s) return true;
    call->result = GPU_IS_LOST;
    return false;
}

static bool start(struct call *call, int function) {
    *call = (struct call){.function = function, .which = -1, .instance = -1};
    if (atomic_load(&references) == 0) control_follow();
    count(call);
    if (!initialized(call)) return false;
    call->all = current();
    call->now_s = clock_monotonic_s();
    return true;
}

bool enter(struct call *call, int function) {
    return start(call, function) && faults_pass(call, false) && initialized(call);
}

bool reach(struct call *call, int which) {
    call->which = which;
    call->gpu = &call->all->gpu[which];
    atomic_fetch_add_explicit(&control->gpu_calls[which], 1, memory_order_relaxed);
    if (!faults_pass(call, true)) return false;
    call->gpu = &call->all->gpu[which];
    return present(call);
}

bool enter_device(struct call *call, int function, const void *device) {
    if (!start(call, function)) return false;
    ptrdiff_t place = (const char *)device - &handles[0][0];
    if (place < 0 || place >= (ptrdiff_t)sizeof handles || place / (1 + MAX_MIG) >= call->all->gpus) {
        call->result = INVALID_ARGUMENT;
        return false;
    }
    call->which = (int)(place / (1 + MAX_MIG));
    call->instance = (int)(place % (1 + MAX_MIG)) - 1;
    atomic_fetch_add_explicit(&control->gpu_calls[call->which], 1, memory_order_relaxed);
    if (!faults_pass(call, false) || !initialized(call)) return false;
    call->gpu = &call->all->gpu[call->which];
    if (call->instance >= (call->gpu->mig_mode ? call->gpu->migs : 0)) {
        call->result = INVALID_ARGUMENT;
        return false;
    }
    return present(call);
}

int leave(struct call *call, int result) {
    if (result != SUCCESS) atomic_fetch_add_explicit(&control->functions[call->function].errors, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&own_client()->in_flight, 1, memory_order_relaxed);
    atomic_fetch_sub(&in_flight, 1);
    return result;
}

int library_init(int function) {
    const char *path = control_follow();
    struct call call = {.function = function, .which = -1, .instance = -1};
    count(&call);
    call.all = path ? current() : NULL;
    if (!call.all) return leave(&call, path ? OPERATING_SYSTEM : LIBRARY_NOT_FOUND);
    call.now_s = clock_monotonic_s();
    if (!faults_pass(&call, false)) return leave(&call, call.result);
    if (atomic_fetch_add(&references, 1) == 0) realtime_read();
    atomic_fetch_add(&control->inits, 1);
    atomic_fetch_add(&own_client()->inits, 1);
    note(EVENT_INIT, (uint64_t)atomic_load(&references));
    return leave(&call, SUCCESS);
}

int library_references(void) { return atomic_load(&references); }

int library_shutdown(void) {
    struct call call;
    if (!start(&call, F_nvmlShutdown) || !faults_pass(&call, false)) return leave(&call, call.result);
    int left = atomic_fetch_sub(&references, 1) - 1;
    if (left < 0) {
        atomic_store(&references, 0);
        return leave(&call, UNINITIALIZED);
    }
    int others = atomic_load(&in_flight) - 1;
    atomic_fetch_add(&control->shutdowns, 1);
    atomic_fetch_add(&own_client()->shutdowns, 1);
    note(EVENT_SHUTDOWN, (uint64_t)left);
    if (left == 0 && others > 0) {
        atomic_fetch_add(&control->shutdowns_in_flight, 1);
        note(EVENT_SHUTDOWN_IN_FLIGHT, (uint64_t)others);
    }
    return leave(&call, SUCCESS);
}
