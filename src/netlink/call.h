// Arguments and answer of a function called from JavaScript (Node-API).
// Invariant: a wrong type of argument is remembered in `bad` and thrown at the end; no system call is made with it.
#pragma once
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>

#define MAX_ARGS 5
#define PATH_SIZE 4096

// The arguments of one call; `bad` is set by the first that has not the wanted type.
typedef struct {
  napi_env env;
  napi_value value[MAX_ARGS];
  bool bad;
} Args;

static inline Args arguments(napi_env env, napi_callback_info info) {
  Args args = {.env = env};
  size_t count = MAX_ARGS;
  // Arguments not given arrive as undefined.
  args.bad = napi_get_cb_info(env, info, &count, args.value, NULL, NULL) != napi_ok;
  return args;
}

static inline int64_t integer(Args *args, int at) {
  int64_t value = 0;
  if (napi_get_value_int64(args->env, args->value[at], &value) != napi_ok) args->bad = true;
  return value;
}

static inline bool is_a(Args *args, int at, napi_valuetype type) {
  napi_valuetype found;
  return napi_typeof(args->env, args->value[at], &found) == napi_ok && found == type;
}

// Any Uint8Array, without copying.
static inline uint8_t *bytes(Args *args, int at, size_t *length) {
  napi_typedarray_type type;
  void *data = NULL;
  bool typed = false;
  *length = 0;
  if (napi_is_typedarray(args->env, args->value[at], &typed) != napi_ok || !typed ||
      napi_get_typedarray_info(args->env, args->value[at], &type, length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array)
    args->bad = true;
  return data;
}

// A string of at most PATH_SIZE - 1 bytes, or NULL for undefined.
static inline const char *text(Args *args, int at, char *into) {
  size_t length;
  if (is_a(args, at, napi_undefined)) return NULL;
  if (napi_get_value_string_utf8(args->env, args->value[at], into, PATH_SIZE, &length) != napi_ok) args->bad = true;
  return into;
}

// The result of a call as a number (a double: port ids are unsigned 32 bits), or a TypeError.
static inline napi_value answer(Args *args, double result) {
  napi_value value = NULL;
  if (args->bad) napi_throw_type_error(args->env, NULL, "kernel_socket: wrong type of argument");
  else napi_create_double(args->env, result, &value);
  return value;
}

#define RESULT(call) ({ long result_ = (call); result_ < 0 ? -errno : result_; })
