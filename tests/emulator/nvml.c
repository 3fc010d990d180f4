/* The API of the emulated libnvidia-ml.so.1: the functions that programs look up, over the state in emulator.c.
 * Layouts of structures are those of NVML's public header, as nvidia-ml-py declares them. */
#include "emulator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define API __attribute__((visibility("default")))

typedef const void *device_t;
typedef int result_t;

#define WITHOUT_DEVICE(function)                                                                                      \
    struct call call;                                                                                                 \
    if (!enter(&call, F_##function)) return leave(&call, call.result)

#define WITH_DEVICE(function)                                                                                         \
    struct call call;                                                                                                 \
    if (!enter_device(&call, F_##function, device)) return leave(&call, call.result);                                 \
    struct gpu *gpu = call.gpu;                                                                                       \
    (void)gpu

/* For what exists on a whole GPU alone */
#define WITH_GPU(function)                                                                                            \
    WITH_DEVICE(function);                                                                                            \
    if (call.instance >= 0) return leave(&call, gpu->mig_error)

#define NEEDS(condition, error)                                                                                       \
    if (!(condition)) return leave(&call, error)

#define DONE return leave(&call, SUCCESS)

static bool text_fits(const char *text, char *buffer, unsigned length) {
    if (strlen(text) >= length) return false;
    strcpy(buffer, text);
    return true;
}

static const struct mig *instance_of(const struct call *call) {
    return call->instance >= 0 ? &call->gpu->mig[call->instance] : NULL;
}

static unsigned milliwatts(double w) { return (unsigned)llround(w * 1e3); }

/* ------------------------------------------------------------------------------------------------------- the library */

API result_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    return library_init(F_nvmlInitWithFlags);
}

API result_t nvmlInit(void) { return library_init(F_nvmlInit); }
API result_t nvmlInit_v2(void) { return library_init(F_nvmlInit_v2); }
API result_t nvmlShutdown(void) { return library_shutdown(); }

API const char *nvmlErrorString(result_t result) {
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {0, "Success"},           {1, "Uninitialized"},         {2, "Invalid Argument"},    {3, "Not Supported"},
        {4, "Insufficient Permissions"}, {6, "Not Found"},      {7, "Insufficient Size"},   {9, "Driver Not Loaded"},
        {10, "Timeout"},          {12, "NVML Shared Library Not Found"}, {13, "Function Not Found"},
        {15, "GPU is lost"},      {17, "The operating system has blocked the request"},
        {18, "RM has detected an NVML/RM version mismatch."},   {25, "Version mismatch"},   {999, "Unknown Error"},
    };
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == result) return texts[i].text;
    return "Unknown Error";
}

API result_t nvmlSystemGetDriverVersion(char *version, unsigned length) {
    WITHOUT_DEVICE(nvmlSystemGetDriverVersion);
    NEEDS(text_fits(call.all->driver, version, length), INSUFFICIENT_SIZE);
    DONE;
}

API result_t nvmlSystemGetNVMLVersion(char *version, unsigned length) {
    WITHOUT_DEVICE(nvmlSystemGetNVMLVersion);
    NEEDS(text_fits(call.all->nvml, version, length), INSUFFICIENT_SIZE);
    DONE;
}

API result_t nvmlSystemGetCudaDriverVersion(int *version) {
    WITHOUT_DEVICE(nvmlSystemGetCudaDriverVersion);
    *version = call.all->cuda_version;
    DONE;
}

API result_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
    WITHOUT_DEVICE(nvmlSystemGetCudaDriverVersion_v2);
    *version = call.all->cuda_version;
    DONE;
}

API result_t nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
    WITHOUT_DEVICE(nvmlSystemGetProcessName);
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%u/comm", pid);
    FILE *file = fopen(path, "r");
    NEEDS(file, NOT_FOUND);
    if (fgets(text, sizeof text, file)) text[strcspn(text, "\n")] = '\0';
    fclose(file);
    NEEDS(text_fits(text, name, length), INSUFFICIENT_SIZE);
    DONE;
}

/* -------------------------------------------------------------------------------------------------- finding a device */

static result_t count_gpus(int function, unsigned *count) {
    struct call call;
    if (!enter(&call, function)) return leave(&call, call.result);
    *count = (unsigned)call.all->gpus;
    DONE;
}

API result_t nvmlDeviceGetCount(unsigned *count) { return count_gpus(F_nvmlDeviceGetCount, count); }
API result_t nvmlDeviceGetCount_v2(unsigned *count) { return count_gpus(F_nvmlDeviceGetCount_v2, count); }

static result_t found(struct call *call, int which, int instance, device_t *device) {
    if (!reach(call, which)) return leave(call, call->result);
    *device = handle_of(which, instance);
    return leave(call, SUCCESS);
}

static result_t by_index(int function, unsigned index, device_t *device) {
    struct call call;
    if (!enter(&call, function)) return leave(&call, call.result);
    NEEDS(index < (unsigned)call.all->gpus, INVALID_ARGUMENT);
    return found(&call, (int)index, -1, device);
}

API result_t nvmlDeviceGetHandleByIndex(unsigned index, device_t *device) {
    return by_index(F_nvmlDeviceGetHandleByIndex, index, device);
}

API result_t nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *device) {
    return by_index(F_nvmlDeviceGetHandleByIndex_v2, index, device);
}

API result_t nvmlDeviceGetHandleByUUID(const char *uuid, device_t *device) {
    WITHOUT_DEVICE(nvmlDeviceGetHandleByUUID);
    for (int i = 0; uuid && i < call.all->gpus; i++) {
        const struct gpu *gpu = &call.all->gpu[i];
        if (strcmp(uuid, gpu->uuid) == 0) return found(&call, i, -1, device);
        for (int j = 0; j < (gpu->mig_mode ? gpu->migs : 0); j++)
            if (strcmp(uuid, gpu->mig[j].uuid) == 0) return found(&call, i, j, device);
    }
    return leave(&call, uuid ? NOT_FOUND : INVALID_ARGUMENT);
}

API result_t nvmlDeviceGetHandleBySerial(const char *serial, device_t *device) {
    WITHOUT_DEVICE(nvmlDeviceGetHandleBySerial);
    for (int i = 0; i < call.all->gpus; i++)
        if (strcmp(serial, call.all->gpu[i].serial) == 0) return found(&call, i, -1, device);
    return leave(&call, NOT_FOUND);
}

static result_t by_bus(int function, const char *bus_id, device_t *device) {
    struct call call;
    if (!enter(&call, function)) return leave(&call, call.result);
    unsigned domain, bus, slot;
    NEEDS(sscanf(bus_id, "%x:%x:%x.", &domain, &bus, &slot) == 3, INVALID_ARGUMENT);
    for (int i = 0; i < call.all->gpus; i++) {
        const struct gpu *gpu = &call.all->gpu[i];
        if (gpu->domain == domain && gpu->bus == bus && gpu->device == slot) return found(&call, i, -1, device);
    }
    return leave(&call, NOT_FOUND);
}

API result_t nvmlDeviceGetHandleByPciBusId(const char *bus_id, device_t *device) {
    return by_bus(F_nvmlDeviceGetHandleByPciBusId, bus_id, device);
}

API result_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, device_t *device) {
    return by_bus(F_nvmlDeviceGetHandleByPciBusId_v2, bus_id, device);
}

/* -------------------------------------------------------------------------------------------------- what a device is */

API result_t nvmlDeviceGetName(device_t device, char *name, unsigned length) {
    WITH_DEVICE(nvmlDeviceGetName);
    char text[160];
    const struct mig *mig = instance_of(&call);
    snprintf(text, sizeof text, "%s", gpu->name);
    if (mig) snprintf(text, sizeof text, "%s MIG %ug.%ugb", gpu->name, mig->gpu_slices,
                      (unsigned)lround(mig->memory_mb / 1024.0));
    NEEDS(text_fits(text, name, length), INSUFFICIENT_SIZE);
    DONE;
}

API result_t nvmlDeviceGetUUID(device_t device, char *uuid, unsigned length) {
    WITH_DEVICE(nvmlDeviceGetUUID);
    const struct mig *mig = instance_of(&call);
    NEEDS(text_fits(mig ? mig->uuid : gpu->uuid, uuid, length), INSUFFICIENT_SIZE);
    DONE;
}

API result_t nvmlDeviceGetSerial(device_t device, char *serial, unsigned length) {
    WITH_GPU(nvmlDeviceGetSerial);
    NEEDS(gpu->serial[0], NOT_SUPPORTED);
    NEEDS(text_fits(gpu->serial, serial, length), INSUFFICIENT_SIZE);
    DONE;
}

#define UNSIGNED_OF(function, expression)                                                                             \
    API result_t function(device_t device, unsigned *value) {                                                         \
        WITH_GPU(function);                                                                                           \
        *value = (unsigned)(expression);                                                                              \
        DONE;                                                                                                         \
    }

UNSIGNED_OF(nvmlDeviceGetMinorNumber, gpu->minor)
UNSIGNED_OF(nvmlDeviceGetBrand, gpu->brand)
UNSIGNED_OF(nvmlDeviceGetArchitecture, gpu->architecture)
UNSIGNED_OF(nvmlDeviceGetPersistenceMode, 1)
UNSIGNED_OF(nvmlDeviceGetComputeMode, 0)
UNSIGNED_OF(nvmlDeviceGetDisplayActive, 0)
UNSIGNED_OF(nvmlDeviceGetPerformanceState, gpu->performance_state)
UNSIGNED_OF(nvmlDeviceGetPowerState, gpu->performance_state)
UNSIGNED_OF(nvmlDeviceGetPowerManagementMode, 1)
UNSIGNED_OF(nvmlDeviceGetPowerManagementLimit, milliwatts(gpu->limit_w))
UNSIGNED_OF(nvmlDeviceGetPowerManagementDefaultLimit, milliwatts(gpu->default_limit_w))
UNSIGNED_OF(nvmlDeviceGetEnforcedPowerLimit, milliwatts(gpu->enforced_limit_w))

API result_t nvmlDeviceGetIndex(device_t device, unsigned *index) {
    WITH_DEVICE(nvmlDeviceGetIndex);
    *index = (unsigned)(call.instance >= 0 ? call.instance : call.which);
    DONE;
}

API result_t nvmlDeviceGetPowerManagementLimitConstraints(device_t device, unsigned *least, unsigned *most) {
    WITH_GPU(nvmlDeviceGetPowerManagementLimitConstraints);
    *least = milliwatts(gpu->least_limit_w);
    *most = milliwatts(gpu->most_limit_w);
    DONE;
}

API result_t nvmlDeviceGetCudaComputeCapability(device_t device, int *major, int *minor) {
    WITH_DEVICE(nvmlDeviceGetCudaComputeCapability);
    *major = gpu->capability_major;
    *minor = gpu->capability_minor;
    DONE;
}

API result_t nvmlDeviceGetC2cModeInfoV(device_t device, unsigned *enabled) { /* a Grace Hopper, and nothing else */
    WITH_GPU(nvmlDeviceGetC2cModeInfoV);
    NEEDS(gpu->c2c, NOT_SUPPORTED);
    *enabled = 1;
    DONE;
}

struct pci_info {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

API result_t nvmlDeviceGetPciInfo_v3(device_t device, struct pci_info *info) {
    WITH_DEVICE(nvmlDeviceGetPciInfo_v3);
    memset(info, 0, sizeof *info);
    info->domain = gpu->domain;
    info->bus = gpu->bus;
    info->device = gpu->device;
    info->pci_device_id = gpu->pci_device_id;
    snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:%02X.0", gpu->domain & 0xffffu,
             gpu->bus & 0xffu, gpu->device & 0xffu);
    snprintf(info->bus_id, sizeof info->bus_id, "%08X:%02X:%02X.0", gpu->domain, gpu->bus, gpu->device);
    DONE;
}

struct memory {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

static struct memory memory_of(const struct call *call) {
    const struct mig *mig = instance_of(call);
    double mib = 1048576.0, total_mb = mig ? mig->memory_mb : call->gpu->memory_mb;
    unsigned long long total = (unsigned long long)(total_mb * mib);
    unsigned long long used = (unsigned long long)(fmin(call->gpu->memory_used_mb, total_mb) * mib);
    return (struct memory){total, total - used, used};
}

API result_t nvmlDeviceGetMemoryInfo(device_t device, struct memory *memory) {
    WITH_DEVICE(nvmlDeviceGetMemoryInfo);
    *memory = memory_of(&call);
    DONE;
}

API result_t nvmlDeviceGetMemoryInfo_v2(device_t device, struct memory_v2 *memory) {
    WITH_DEVICE(nvmlDeviceGetMemoryInfo_v2);
    NEEDS(memory->version == (sizeof *memory | 2u << 24), ARGUMENT_VERSION_MISMATCH);
    struct memory plain = memory_of(&call);
    *memory = (struct memory_v2){memory->version, plain.total, 0, plain.free, plain.used};
    DONE;
}

/* ------------------------------------------------------------------------------------------------------ what it does */

static double temperature_of(const struct call *call) {
    return call->gpu->temperature_c + call->gpu->temperature_c_per_w * wave_power_w(call->gpu, SCOPE_GPU, call->now_s);
}

API result_t nvmlDeviceGetTemperature(device_t device, unsigned sensor, unsigned *celsius) {
    WITH_GPU(nvmlDeviceGetTemperature);
    NEEDS(sensor == 0, INVALID_ARGUMENT);
    *celsius = (unsigned)temperature_of(&call);
    DONE;
}

struct temperature {
    unsigned version, sensor;
    int celsius;
};

API result_t nvmlDeviceGetTemperatureV(device_t device, struct temperature *temperature) {
    WITH_GPU(nvmlDeviceGetTemperatureV);
    NEEDS(temperature->version == (sizeof *temperature | 1u << 24), ARGUMENT_VERSION_MISMATCH);
    temperature->celsius = (int)temperature_of(&call);
    DONE;
}

API result_t nvmlDeviceGetFanSpeed(device_t device, unsigned *percent) {
    WITH_GPU(nvmlDeviceGetFanSpeed);
    (void)percent;
    return leave(&call, NOT_SUPPORTED); /* no fan, as on a server's module */
}

API result_t nvmlDeviceGetClockInfo(device_t device, unsigned type, unsigned *mhz) {
    WITH_GPU(nvmlDeviceGetClockInfo);
    NEEDS(type < 4, INVALID_ARGUMENT);
    *mhz = gpu->clock_mhz;
    DONE;
}

API result_t nvmlDeviceGetMaxClockInfo(device_t device, unsigned type, unsigned *mhz) {
    WITH_GPU(nvmlDeviceGetMaxClockInfo);
    NEEDS(type < 4, INVALID_ARGUMENT);
    *mhz = gpu->max_clock_mhz;
    DONE;
}

API result_t nvmlDeviceGetPowerUsage(device_t device, unsigned *mw) {
    WITH_GPU(nvmlDeviceGetPowerUsage);
    NEEDS(gpu->usage.supported, NOT_SUPPORTED);
    double updated_s;
    *mw = milliwatts(sensor_shown_w(call.all, call.which, gpu->usage_scope, &gpu->usage, call.now_s, &updated_s));
    DONE;
}

API result_t nvmlDeviceGetTotalEnergyConsumption(device_t device, unsigned long long *mj) {
    WITH_GPU(nvmlDeviceGetTotalEnergyConsumption);
    NEEDS(gpu->counter, NOT_SUPPORTED);
    double updated_s;
    *mj = counter_shown_mj(gpu, gpu->counter_scope, call.now_s, &updated_s);
    DONE;
}

/* How busy: where the mean power over the window stands between idle and full load, or what the configuration says. */
static double load_share(const struct call *call, double at_s, double *updated_s) {
    const struct gpu *gpu = call->gpu;
    int64_t index;
    *updated_s = sensor_updated_s(&gpu->load, at_s, &index);
    if (gpu->utilization >= 0.0) return fmin(1.0, gpu->utilization);
    double mean_w = sensor_mean_w(gpu, SCOPE_GPU, &gpu->load, *updated_s);
    return fmax(0.0, fmin(1.0, (mean_w - gpu->idle_w) / (gpu->busy_w - gpu->idle_w)));
}

static unsigned percent(double share) { return (unsigned)lround(100.0 * share); }

struct utilization {
    unsigned gpu, memory;
};

API result_t nvmlDeviceGetUtilizationRates(device_t device, struct utilization *rates) {
    WITH_GPU(nvmlDeviceGetUtilizationRates);
    NEEDS(gpu->load.supported && !gpu->mig_mode, NOT_SUPPORTED);
    double updated_s, share = load_share(&call, call.now_s, &updated_s);
    rates->gpu = percent(share);
    rates->memory = percent(gpu->memory_utilization >= 0.0 ? gpu->memory_utilization : 0.5 * share);
    DONE;
}

static result_t codec(int function, device_t device, unsigned *utilization, unsigned *period_us) {
    struct call call;
    if (!enter_device(&call, function, device)) return leave(&call, call.result);
    if (call.instance >= 0 || call.gpu->mig_mode) return leave(&call, NOT_SUPPORTED);
    *utilization = 0;
    *period_us = 100000;
    DONE;
}

API result_t nvmlDeviceGetEncoderUtilization(device_t device, unsigned *utilization, unsigned *period_us) {
    return codec(F_nvmlDeviceGetEncoderUtilization, device, utilization, period_us);
}

API result_t nvmlDeviceGetDecoderUtilization(device_t device, unsigned *utilization, unsigned *period_us) {
    return codec(F_nvmlDeviceGetDecoderUtilization, device, utilization, period_us);
}

/* ------------------------------------------------------------------------------------------- fields and past samples */

union value {
    double d;
    unsigned ui;
    unsigned long ul;
    unsigned long long ull;
};

enum { VALUE_UNSIGNED = 1, VALUE_UNSIGNED_LONG_LONG = 3 };

struct field_value {
    uint32_t field, scope;
    int64_t timestamp_us, latency_us;
    unsigned value_type;
    int result;
    union value value;
};

enum {
    FIELD_TOTAL_ENERGY = 83,
    FIELD_POWER_AVERAGE = 185,
    FIELD_POWER_INSTANT = 186,
    FIELD_LEAST_LIMIT = 187,
    FIELD_MOST_LIMIT = 188,
    FIELD_DEFAULT_LIMIT = 189,
    FIELD_CURRENT_LIMIT = 190,
    FIELD_ENERGY = 191,
    FIELD_REQUESTED_LIMIT = 192,
};

static int field_read(const struct call *call, struct field_value *v, double *updated_s) {
    struct gpu *gpu = call->gpu;
    int scope = v->field == FIELD_TOTAL_ENERGY ? gpu->counter_scope : (int)v->scope;
    if (call->instance >= 0) return gpu->mig_error;
    if (v->scope >= SCOPES) return INVALID_ARGUMENT;
    if (v->field != FIELD_TOTAL_ENERGY && !gpu->scopes[v->scope].supported) return NOT_SUPPORTED;
    v->value_type = VALUE_UNSIGNED;
    switch (v->field) {
    case FIELD_POWER_AVERAGE:
    case FIELD_POWER_INSTANT: {
        const struct sensor *sensor = v->field == FIELD_POWER_AVERAGE ? &gpu->average : &gpu->instant;
        if (!sensor->supported) return NOT_SUPPORTED;
        v->value.ui = milliwatts(sensor_shown_w(call->all, call->which, scope, sensor, call->now_s, updated_s));
        return SUCCESS;
    }
    case FIELD_TOTAL_ENERGY:
    case FIELD_ENERGY:
        if (!(v->field == FIELD_ENERGY ? gpu->energy_field : gpu->total_energy_field)) return NOT_SUPPORTED;
        v->value_type = VALUE_UNSIGNED_LONG_LONG;
        v->value.ull = counter_shown_mj(gpu, scope, call->now_s, updated_s);
        return SUCCESS;
    case FIELD_LEAST_LIMIT: v->value.ui = milliwatts(gpu->least_limit_w); return SUCCESS;
    case FIELD_MOST_LIMIT: v->value.ui = milliwatts(gpu->most_limit_w); return SUCCESS;
    case FIELD_DEFAULT_LIMIT: v->value.ui = milliwatts(gpu->default_limit_w); return SUCCESS;
    case FIELD_CURRENT_LIMIT: v->value.ui = milliwatts(gpu->enforced_limit_w); return SUCCESS;
    case FIELD_REQUESTED_LIMIT: v->value.ui = milliwatts(gpu->limit_w); return SUCCESS;
    default: return NOT_SUPPORTED;
    }
}

API result_t nvmlDeviceGetFieldValues(device_t device, int count, struct field_value *values) {
    WITH_DEVICE(nvmlDeviceGetFieldValues);
    NEEDS(count > 0 && values, INVALID_ARGUMENT);
    for (int i = 0; i < count; i++) {
        double updated_s = call.now_s;
        memset(&values[i].value, 0, sizeof values[i].value);
        values[i].result = field_read(&call, &values[i], &updated_s);
        values[i].timestamp_us = realtime_us(&call, gpu->stamp_at_call ? call.now_s : updated_s);
        values[i].latency_us = 1;
    }
    DONE;
}

struct sample {
    unsigned long long timestamp_us;
    union value value;
};

enum { TOTAL_POWER_SAMPLES = 0, GPU_UTILIZATION_SAMPLES = 1, MODULE_POWER_SAMPLES = 7 };

API result_t nvmlDeviceGetSamples(device_t device, unsigned type, unsigned long long since_us, unsigned *value_type,
                                  unsigned *count, struct sample *samples) {
    WITH_GPU(nvmlDeviceGetSamples);
    int scope = type == MODULE_POWER_SAMPLES ? SCOPE_MODULE : SCOPE_GPU;
    NEEDS(gpu->samples.supported && gpu->scopes[scope].supported, NOT_SUPPORTED);
    NEEDS(type == TOTAL_POWER_SAMPLES || type == GPU_UTILIZATION_SAMPLES || type == MODULE_POWER_SAMPLES, NOT_SUPPORTED);
    *value_type = VALUE_UNSIGNED;
    unsigned depth = (unsigned)gpu->samples_depth, made = 0;
    if (!samples) {
        *count = depth;
        DONE;
    }
    int64_t last;
    double updated_s, seen_s;
    sensor_updated_s(&gpu->samples, call.now_s, &last);
    for (int64_t index = last - depth + 1; index <= last && made < *count; index++) {
        double at_s = sensor_update_s(&gpu->samples, index);
        unsigned long long stamp = (unsigned long long)realtime_us(&call, at_s);
        if (stamp <= since_us) continue;
        samples[made].timestamp_us = stamp;
        samples[made].value.ull = 0;
        samples[made++].value.ui =
            type == GPU_UTILIZATION_SAMPLES
                ? percent(load_share(&call, at_s, &seen_s))
                : milliwatts(sensor_shown_w(call.all, call.which, scope, &gpu->samples, at_s, &updated_s));
    }
    *count = made;
    return leave(&call, made ? SUCCESS : NOT_FOUND);
}

/* --------------------------------------------------------------------------------------------------------- processes */

struct process_info_v1 {
    unsigned pid;
    unsigned long long used_memory;
};

struct process_info {
    unsigned pid;
    unsigned long long used_memory;
    unsigned gpu_instance, compute_instance;
};

static unsigned pid_of(const struct process *p) { return p->pid ? p->pid : (unsigned)getpid(); }

static bool within(const struct call *call, const struct process *p) {
    const struct mig *mig = instance_of(call);
    return !mig || (p->gpu_instance == mig->gpu_instance && p->compute_instance == mig->compute_instance);
}

enum { COMPUTE, GRAPHICS, MPS };

static result_t processes(int function, device_t device, int kind, unsigned *count, struct process_info *infos,
                          bool first_version) {
    struct call call;
    if (!enter_device(&call, function, device)) return leave(&call, call.result);
    const struct process *list = kind == GRAPHICS ? call.gpu->graphic : call.gpu->process;
    int length = kind == MPS ? 0 : kind == GRAPHICS ? call.gpu->graphics : call.gpu->processes;
    unsigned needed = 0;
    for (int i = 0; i < length; i++) needed += within(&call, &list[i]);
    if (*count < needed || (needed && !infos)) {
        *count = needed;
        return leave(&call, INSUFFICIENT_SIZE);
    }
    *count = 0;
    for (int i = 0; i < length; i++) {
        if (!within(&call, &list[i])) continue;
        unsigned long long bytes = (unsigned long long)(list[i].memory_mb * 1048576.0);
        if (first_version) ((struct process_info_v1 *)infos)[*count] = (struct process_info_v1){pid_of(&list[i]), bytes};
        else infos[*count] = (struct process_info){pid_of(&list[i]), bytes, list[i].gpu_instance,
                                                   list[i].compute_instance};
        *count += 1;
    }
    DONE;
}

#define PROCESSES_OF(function, kind, first_version)                                                                   \
    API result_t function(device_t device, unsigned *count, struct process_info *infos) {                             \
        return processes(F_##function, device, kind, count, infos, first_version);                                    \
    }

PROCESSES_OF(nvmlDeviceGetComputeRunningProcesses, COMPUTE, true)
PROCESSES_OF(nvmlDeviceGetComputeRunningProcesses_v2, COMPUTE, false)
PROCESSES_OF(nvmlDeviceGetComputeRunningProcesses_v3, COMPUTE, false)
PROCESSES_OF(nvmlDeviceGetGraphicsRunningProcesses, GRAPHICS, true)
PROCESSES_OF(nvmlDeviceGetGraphicsRunningProcesses_v2, GRAPHICS, false)
PROCESSES_OF(nvmlDeviceGetGraphicsRunningProcesses_v3, GRAPHICS, false)
PROCESSES_OF(nvmlDeviceGetMPSComputeRunningProcesses_v2, MPS, false)
PROCESSES_OF(nvmlDeviceGetMPSComputeRunningProcesses_v3, MPS, false)

struct process_utilization {
    unsigned pid;
    unsigned long long timestamp_us;
    unsigned sm, memory, encoder, decoder;
};

struct process_utilization_info {
    unsigned long long timestamp_us;
    unsigned pid, sm, memory, encoder, decoder, jpeg, optical_flow;
};

struct processes_utilization {
    unsigned version, count;
    unsigned long long since_us;
    struct process_utilization_info *infos;
};

/* One sample a process: its share of the SM utilisation, as of the last update. */
static result_t processes_load(struct call *call, unsigned long long since_us, unsigned *count,
                               struct process_utilization *plain, struct process_utilization_info *infos) {
    struct gpu *gpu = call->gpu;
    if (call->instance >= 0 || gpu->mig_mode || !gpu->load.supported) return leave(call, NOT_SUPPORTED);
    double updated_s, share = load_share(call, call->now_s, &updated_s);
    unsigned long long stamp = (unsigned long long)realtime_us(call, updated_s);
    if (gpu->processes == 0 || stamp <= since_us) {
        *count = 0;
        return leave(call, NOT_FOUND);
    }
    if (*count < (unsigned)gpu->processes || (!plain && !infos)) {
        *count = (unsigned)gpu->processes;
        return leave(call, INSUFFICIENT_SIZE);
    }
    *count = (unsigned)gpu->processes;
    for (int i = 0; i < gpu->processes; i++) {
        unsigned pid = pid_of(&gpu->process[i]), sm = percent(share * gpu->process[i].sm_share);
        if (plain) plain[i] = (struct process_utilization){pid, stamp, sm, sm / 2, 0, 0};
        else infos[i] = (struct process_utilization_info){stamp, pid, sm, sm / 2, 0, 0, 0, 0};
    }
    return leave(call, SUCCESS);
}

API result_t nvmlDeviceGetProcessUtilization(device_t device, struct process_utilization *samples, unsigned *count,
                                             unsigned long long since_us) {
    WITH_DEVICE(nvmlDeviceGetProcessUtilization);
    return processes_load(&call, since_us, count, samples, NULL);
}

API result_t nvmlDeviceGetProcessesUtilizationInfo(device_t device, struct processes_utilization *all) {
    WITH_DEVICE(nvmlDeviceGetProcessesUtilizationInfo);
    NEEDS(all->version == (sizeof *all | 1u << 24), ARGUMENT_VERSION_MISMATCH);
    return processes_load(&call, all->since_us, &all->count, NULL, all->infos);
}

/* --------------------------------------------------------------------------------------------------------------- MIG */

static bool mig_capable(const struct gpu *gpu) { /* A100, A30, H100 and newer */
    return gpu->architecture >= 9 || (gpu->architecture == 7 && gpu->capability_minor == 0);
}

API result_t nvmlDeviceGetMigMode(device_t device, unsigned *mode, unsigned *pending) {
    WITH_GPU(nvmlDeviceGetMigMode);
    NEEDS(mig_capable(gpu), NOT_SUPPORTED);
    *mode = *pending = gpu->mig_mode;
    DONE;
}

API result_t nvmlDeviceGetMaxMigDeviceCount(device_t device, unsigned *count) {
    WITH_GPU(nvmlDeviceGetMaxMigDeviceCount);
    *count = mig_capable(gpu) ? 7 : 0;
    DONE;
}

API result_t nvmlDeviceGetMigDeviceHandleByIndex(device_t device, unsigned index, device_t *instance) {
    WITH_GPU(nvmlDeviceGetMigDeviceHandleByIndex);
    NEEDS(mig_capable(gpu), NOT_SUPPORTED);
    NEEDS(index < MAX_MIG, INVALID_ARGUMENT);
    NEEDS(gpu->mig_mode && index < (unsigned)gpu->migs, NOT_FOUND);
    *instance = handle_of(call.which, (int)index);
    DONE;
}

API result_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device_t device, device_t *parent) {
    WITH_DEVICE(nvmlDeviceGetDeviceHandleFromMigDeviceHandle);
    NEEDS(call.instance >= 0, INVALID_ARGUMENT);
    *parent = handle_of(call.which, -1);
    DONE;
}

API result_t nvmlDeviceIsMigDeviceHandle(device_t device, unsigned *is_instance) {
    WITH_DEVICE(nvmlDeviceIsMigDeviceHandle);
    *is_instance = call.instance >= 0;
    DONE;
}

API result_t nvmlDeviceGetGpuInstanceId(device_t device, unsigned *id) {
    WITH_DEVICE(nvmlDeviceGetGpuInstanceId);
    NEEDS(call.instance >= 0, INVALID_ARGUMENT);
    *id = instance_of(&call)->gpu_instance;
    DONE;
}

API result_t nvmlDeviceGetComputeInstanceId(device_t device, unsigned *id) {
    WITH_DEVICE(nvmlDeviceGetComputeInstanceId);
    NEEDS(call.instance >= 0, INVALID_ARGUMENT);
    *id = instance_of(&call)->compute_instance;
    DONE;
}

struct attributes {
    unsigned multiprocessors, copy_engines, decoders, encoders, jpegs, optical_flows, gpu_slices, compute_slices;
    unsigned long long memory_mb;
};

static result_t attributes(int function, device_t device, struct attributes *attributes) {
    struct call call;
    if (!enter_device(&call, function, device)) return leave(&call, call.result);
    const struct mig *mig = instance_of(&call);
    NEEDS(mig, NOT_SUPPORTED);
    *attributes = (struct attributes){
        .multiprocessors = mig->multiprocessors,
        .copy_engines = mig->gpu_slices,
        .gpu_slices = mig->gpu_slices,
        .compute_slices = mig->compute_slices,
        .memory_mb = (unsigned long long)mig->memory_mb,
    };
    DONE;
}

API result_t nvmlDeviceGetAttributes(device_t device, struct attributes *to) {
    return attributes(F_nvmlDeviceGetAttributes, device, to);
}

API result_t nvmlDeviceGetAttributes_v2(device_t device, struct attributes *to) {
    return attributes(F_nvmlDeviceGetAttributes_v2, device, to);
}

/* ----------------------------------------------------------------------- what a test asks: the truth, uncounted, unread */

API int nvmlEmulator_references(void) { return library_references(); }

static struct configuration *truth_of(const char *path) {
    static struct configuration *last;
    static char last_path[4096];
    char message[512];
    if (!last || strcmp(path, last_path) != 0) {
        snprintf(last_path, sizeof last_path, "%s", path);
        last = configuration_read(path, message, sizeof message);
        if (!last) fprintf(stderr, "NVML emulator: %s\n", message);
    }
    return last;
}

API double nvmlEmulator_power_w(const char *path, int which, int scope, double at_s) {
    struct configuration *all = truth_of(path);
    return all ? wave_power_w(&all->gpu[which], scope, at_s) : (double)NAN;
}

API double nvmlEmulator_energy_j(const char *path, int which, int scope, double from_s, double to_s) {
    struct configuration *all = truth_of(path);
    if (!all) return (double)NAN;
    return wave_energy_j(&all->gpu[which], scope, to_s) - wave_energy_j(&all->gpu[which], scope, from_s);
}
