// Waiting for a file descriptor in Node's event loop (uv_poll).
// Invariant: a Poll lives until libuv has closed it, be it stopped by its owner or by the end of the environment.
#pragma once
#include <stdlib.h>
#include <uv.h>
#include "call.h"

typedef struct {
  uv_poll_t poll;  // first, so that its address is the Poll's
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  bool closing;
} Poll;

static void on_poll(uv_poll_t *handle, int status, int events) {
  Poll *poll = (Poll *)handle;
  napi_env env = poll->env;
  napi_handle_scope scope;
  napi_value callback, self, thrown, args[2];
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_get_reference_value(env, poll->callback, &callback);
  napi_get_global(env, &self);
  napi_create_int32(env, status, &args[0]);
  napi_create_int32(env, events, &args[1]);
  if (napi_make_callback(env, poll->context, self, callback, 2, args, NULL) == napi_pending_exception) {
    napi_get_and_clear_last_exception(env, &thrown);
    napi_fatal_exception(env, thrown);  // an uncaughtException, as from any other callback
  }
  napi_close_handle_scope(env, scope);
}

static void on_closed(uv_handle_t *handle) {
  Poll *poll = (Poll *)handle;
  napi_remove_async_cleanup_hook(poll->cleanup);
  free(poll);
}

static void stop(Poll *poll) {
  if (poll->closing) return;
  poll->closing = true;
  uv_poll_stop(&poll->poll);
  napi_delete_reference(poll->env, poll->callback);
  napi_async_destroy(poll->env, poll->context);
  uv_close((uv_handle_t *)&poll->poll, on_closed);
}

static void on_exit_of_env(napi_async_cleanup_hook_handle hook, void *poll) {
  (void)hook;
  stop(poll);
}

// pollStart(fd, events, callback(status, events)): a handle. Level triggered; after a negative status (an errno, such as
// ENOBUFS on a socket's error queue) libuv has stopped the poll: pollAgain it.
static napi_value poll_start(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  int fd = integer(&args, 0), events = integer(&args, 1);
  napi_value name, handle;
  uv_loop_t *loop;
  if (!is_a(&args, 2, napi_function)) args.bad = true;
  if (args.bad || napi_get_uv_event_loop(env, &loop) != napi_ok) return args.bad = true, answer(&args, 0);
  Poll *poll = calloc(1, sizeof *poll);
  if (poll == NULL) return answer(&args, -ENOMEM);
  poll->env = env;
  int status = uv_poll_init(loop, &poll->poll, fd);
  if (status < 0) return free(poll), answer(&args, status);
  napi_create_string_utf8(env, "kernel_socket", NAPI_AUTO_LENGTH, &name);
  napi_create_reference(env, args.value[2], 1, &poll->callback);
  napi_async_init(env, NULL, name, &poll->context);
  napi_add_async_cleanup_hook(env, on_exit_of_env, poll, &poll->cleanup);
  status = uv_poll_start(&poll->poll, events, on_poll);
  if (status < 0) return stop(poll), answer(&args, status);
  napi_create_external(env, poll, NULL, NULL, &handle);
  return handle;
}

// The Poll of a handle, or NULL. Handles are used by one owner, who drops them after pollStop.
static Poll *poll_of(Args *args, int at) {
  void *poll = NULL;
  if (napi_get_value_external(args->env, args->value[at], &poll) != napi_ok) args->bad = true;
  return poll;
}

// pollAgain(handle, events): 0.
static napi_value poll_again(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  Poll *poll = poll_of(&args, 0);
  int events = integer(&args, 1);
  return answer(&args, args.bad ? 0 : uv_poll_start(&poll->poll, events, on_poll));
}

// pollStop(handle): 0. The handle must not be used again.
static napi_value poll_stop(napi_env env, napi_callback_info info) {
  Args args = arguments(env, info);
  Poll *poll = poll_of(&args, 0);
  if (!args.bad) stop(poll);
  return answer(&args, 0);
}
