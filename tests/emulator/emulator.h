/* What the two halves of the emulated libnvidia-ml.so.1 share: emulator.c (clock, waves, configuration, faults, counts)
 * and nvml.c (the functions that programs call). */
#ifndef FOOTPRINT_NVML_EMULATOR_H
#define FOOTPRINT_NVML_EMULATOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    MAX_GPUS = 64,
    MAX_MIG = 8,
    MAX_PROCESSES = 32,
    MAX_RESETS = 16,
    MAX_FUNCTIONS = 128,
    MAX_CLIENTS = 256,
    MAX_EVENTS = 1024,
    MAX_SAMPLES = 4096,
};

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    LIBRARY_NOT_FOUND = 12,
    GPU_IS_LOST = 15,
    OPERATING_SYSTEM = 17,
    ARGUMENT_VERSION_MISMATCH = 25,
};

/* Every exported function that is counted and can be made to fail, by the name that programs look up. */
#define FUNCTIONS(F)                                                                                                  \
    F(nvmlInit) F(nvmlInit_v2) F(nvmlInitWithFlags) F(nvmlShutdown) F(nvmlErrorString)                                \
    F(nvmlSystemGetDriverVersion) F(nvmlSystemGetNVMLVersion) F(nvmlSystemGetCudaDriverVersion)                       \
    F(nvmlSystemGetCudaDriverVersion_v2) F(nvmlSystemGetProcessName) F(nvmlDeviceGetCount) F(nvmlDeviceGetCount_v2)   \
    F(nvmlDeviceGetHandleByIndex) F(nvmlDeviceGetHandleByIndex_v2) F(nvmlDeviceGetHandleByUUID)                       \
    F(nvmlDeviceGetHandleBySerial) F(nvmlDeviceGetHandleByPciBusId) F(nvmlDeviceGetHandleByPciBusId_v2)               \
    F(nvmlDeviceGetName) F(nvmlDeviceGetUUID) F(nvmlDeviceGetSerial) F(nvmlDeviceGetMinorNumber) F(nvmlDeviceGetIndex)\
    F(nvmlDeviceGetBrand) F(nvmlDeviceGetPciInfo_v3) F(nvmlDeviceGetArchitecture)                                     \
    F(nvmlDeviceGetCudaComputeCapability) F(nvmlDeviceGetMemoryInfo) F(nvmlDeviceGetMemoryInfo_v2)                    \
    F(nvmlDeviceGetPersistenceMode) F(nvmlDeviceGetComputeMode) F(nvmlDeviceGetDisplayActive)                         \
    F(nvmlDeviceGetPerformanceState) F(nvmlDeviceGetPowerState) F(nvmlDeviceGetTemperature)                           \
    F(nvmlDeviceGetTemperatureV) F(nvmlDeviceGetFanSpeed) F(nvmlDeviceGetClockInfo) F(nvmlDeviceGetMaxClockInfo)      \
    F(nvmlDeviceGetPowerManagementMode) F(nvmlDeviceGetPowerManagementLimit)                                          \
    F(nvmlDeviceGetPowerManagementLimitConstraints) F(nvmlDeviceGetPowerManagementDefaultLimit)                       \
    F(nvmlDeviceGetEnforcedPowerLimit) F(nvmlDeviceGetPowerUsage) F(nvmlDeviceGetTotalEnergyConsumption)              \
    F(nvmlDeviceGetFieldValues) F(nvmlDeviceGetSamples) F(nvmlDeviceGetUtilizationRates)                              \
    F(nvmlDeviceGetEncoderUtilization) F(nvmlDeviceGetDecoderUtilization)                                             \
    F(nvmlDeviceGetComputeRunningProcesses) F(nvmlDeviceGetComputeRunningProcesses_v2)                                \
    F(nvmlDeviceGetComputeRunningProcesses_v3) F(nvmlDeviceGetGraphicsRunningProcesses)                               \
    F(nvmlDeviceGetGraphicsRunningProcesses_v2) F(nvmlDeviceGetGraphicsRunningProcesses_v3)                           \
    F(nvmlDeviceGetMPSComputeRunningProcesses_v2) F(nvmlDeviceGetMPSComputeRunningProcesses_v3)                       \
    F(nvmlDeviceGetProcessUtilization) F(nvmlDeviceGetProcessesUtilizationInfo) F(nvmlDeviceGetMigMode)               \
    F(nvmlDeviceGetMaxMigDeviceCount) F(nvmlDeviceGetMigDeviceHandleByIndex)                                          \
    F(nvmlDeviceGetDeviceHandleFromMigDeviceHandle) F(nvmlDeviceIsMigDeviceHandle) F(nvmlDeviceGetGpuInstanceId)      \
    F(nvmlDeviceGetComputeInstanceId) F(nvmlDeviceGetAttributes) F(nvmlDeviceGetAttributes_v2)                        \
    F(nvmlDeviceGetC2cModeInfoV)

#define AS_ENUM(name) F_##name,
enum { FUNCTIONS(AS_ENUM) FUNCTION_COUNT };

/* ---- the control file: the version of the configuration, and counts that a test reads. control.py mirrors it. ---- */

enum { EVENT_INIT = 1, EVENT_SHUTDOWN = 2, EVENT_SHUTDOWN_IN_FLIGHT = 3, EVENT_FORKED = 4, EVENT_UNINITIALIZED = 5 };

struct function_counts {
    char name[64];
    _Atomic uint64_t calls, errors;
};

struct client {
    _Atomic uint64_t pid, calls, inits, shutdowns, in_flight;
    _Atomic int64_t first_ns, last_ns;
};

struct event {
    int64_t at_ns;
    uint64_t pid, kind, value;
};

struct control {
    uint64_t size;
    _Atomic uint64_t version;
    _Atomic uint64_t inits, shutdowns, shutdowns_in_flight, uninitialized_calls, forks, most_in_flight, reloads;
    _Atomic uint64_t configuration_errors, events_count;
    char message[256];
    _Atomic uint64_t gpu_calls[MAX_GPUS];
    struct function_counts functions[MAX_FUNCTIONS];
    struct client clients[MAX_CLIENTS];
    struct event events[MAX_EVENTS];
};

/* ---- the configuration ---- */

enum wave_kind { CONSTANT, SQUARE, SINE, TRAPEZOID, TRACE };

struct wave {
    enum wave_kind kind;
    double at_s, before_j; /* from when it holds; energy of the waves before it, from the first one's start */
    double low_w, high_w, period_s, phase_s, duty, rise_s, top_s, fall_s;
    bool linear, repeat;
    int points;
    double *point_s, *point_w, *point_j;
};

/* A reading that is made anew every period: the mean over the window that ends there. */
struct sensor {
    bool supported;
    double window_s, period_s, phase_s, jitter_s, gain, offset_w, noise_w;
    int salt;
};

enum { SCOPE_GPU, SCOPE_MODULE, SCOPE_MEMORY, SCOPE_BASE, SCOPES };

struct scope {
    bool supported;
    double gain, extra_w; /* of the wave */
};

struct process {
    unsigned pid, gpu_instance, compute_instance;
    double memory_mb, sm_share;
};

struct mig {
    char uuid[96];
    unsigned gpu_instance, compute_instance, gpu_slices, compute_slices, multiprocessors;
    double memory_mb;
};

struct gpu {
    char name[96], uuid[96], serial[32];
    unsigned domain, bus, device, minor, architecture, brand, pci_device_id, clock_mhz, max_clock_mhz, performance_state;
    int capability_major, capability_minor;
    double memory_mb, memory_used_mb, temperature_c, temperature_c_per_w;
    double limit_w, enforced_limit_w, default_limit_w, least_limit_w, most_limit_w;
    double idle_w, busy_w, utilization, memory_utilization;
    struct sensor usage, average, instant, samples, load;
    int usage_scope, samples_depth;
    bool stamp_at_call;
    struct scope scopes[SCOPES];
    bool counter, total_energy_field, energy_field;
    int counter_scope;
    struct sensor counting;
    double counter_start_mj, counter_stuck_at_s, counter_wrap_mj, loaded_at_s;
    int resets;
    double reset_at_s[MAX_RESETS];
    double lost_at_s, back_at_s;
    bool mig_mode, c2c;
    int migs, mig_error;
    struct mig mig[MAX_MIG];
    int processes, graphics;
    struct process process[MAX_PROCESSES], graphic[MAX_PROCESSES];
    int waves, waves_room;
    struct wave *wave;
    bool own_waves;
    /* a counter that sees its window only has no closed form: it is added up, and remembered */
    double added_from_s, added_j;
    int64_t added_to;
};

struct fault {
    bool function[FUNCTION_COUNT];
    int gpu; /* -1: any */
    int error;
    bool hang;
    double from_s, until_s, delay_us, probability;
    int64_t skip, times;
    _Atomic int64_t calls;
    struct fault *next;
};

struct configuration {
    uint64_t version;
    int gpus, cuda_version;
    uint64_t seed;
    double realtime_skew_s;
    char driver[80], nvml[80];
    struct gpu gpu[MAX_GPUS];
    struct fault *faults;
    bool faulty[FUNCTION_COUNT]; /* most calls look no further */
};

struct configuration *configuration_read(const char *path, char *message, int room);

/* ---- power and energy: pure functions of the monotonic clock ---- */

double wave_power_w(const struct gpu *gpu, int scope, double at_s);
double wave_energy_j(const struct gpu *gpu, int scope, double at_s); /* from the first wave's start */
void waves_sum(struct gpu *gpu);
double sensor_updated_s(const struct sensor *sensor, double at_s, int64_t *index);
double sensor_update_s(const struct sensor *sensor, int64_t index);
double sensor_mean_w(const struct gpu *gpu, int scope, const struct sensor *sensor, double updated_s);
double sensor_shown_w(const struct configuration *all, int which, int scope, const struct sensor *sensor, double at_s,
                      double *updated_s);
uint64_t counter_shown_mj(struct gpu *gpu, int scope, double at_s, double *updated_s);

/* ---- a call ---- */

struct call {
    int function, which, instance; /* GPU and MIG instance, -1: none */
    int result;
    double now_s;
    struct configuration *all;
    struct gpu *gpu;
};

double clock_monotonic_s(void);
int64_t realtime_us(const struct call *call, double monotonic_s);
bool enter(struct call *call, int function);                            /* without a device */
bool enter_device(struct call *call, int function, const void *device); /* with one, GPU or MIG instance */
bool reach(struct call *call, int which);                               /* a GPU that a call without one has found */
int leave(struct call *call, int result);
int library_init(int function);
int library_shutdown(void);
int library_references(void);
const void *handle_of(int which, int instance);
const char *function_name(int function);

#endif
