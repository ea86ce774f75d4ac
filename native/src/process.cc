// Scheduling class, file-descriptor limits and allocator of the process.
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common.h"

namespace tandem {
namespace {

// CPU time that a SCHED_FIFO thread may use without ever sleeping before the kernel ends the process. Nothing else can
// end an endless loop at that priority on a host with one CPU: whoever would, gets none.
constexpr rlim_t kMaxRealtimeMicros = 2'000'000;

void LimitRealtime(Napi::Env env) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_RTTIME, &limit) != 0) ThrowErrno(env, errno, "getrlimit");
  limit.rlim_max = std::min(limit.rlim_max, kMaxRealtimeMicros);
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_RTTIME, &limit) != 0) ThrowErrno(env, errno, "setrlimit");
}

Napi::Value SetRealtime(const Napi::CallbackInfo& info) {
  int priority = static_cast<int>(IntegerArgument(info, 0, "priority", 0, 99));
  sched_param param{};
  param.sched_priority = priority;
  // RESET_ON_FORK: a child must not inherit a class in which it can starve the machine.
  int policy = (priority == 0 ? SCHED_OTHER : SCHED_FIFO) | SCHED_RESET_ON_FORK;
  // The id of the process is that of its main thread.
  if (::sched_setscheduler(::getpid(), policy, &param) != 0) {
    ThrowErrno(info.Env(), errno, "sched_setscheduler");
  }
  if (priority > 0) LimitRealtime(info.Env());
  return info.Env().Undefined();
}

// RLIM_INFINITY becomes a number that JavaScript holds exactly.
double Exact(rlim_t value) {
  constexpr rlim_t kMaxSafeInteger = (rlim_t{1} << 53) - 1;
  return static_cast<double>(std::min(value, kMaxSafeInteger));
}

rlimit CurrentLimit(Napi::Env env) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) ThrowErrno(env, errno, "getrlimit");
  return limit;
}

Napi::Value LimitObject(Napi::Env env, const rlimit& limit) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("soft", Napi::Number::New(env, Exact(limit.rlim_cur)));
  object.Set("hard", Napi::Number::New(env, Exact(limit.rlim_max)));
  return object;
}

Napi::Value GetFdLimit(const Napi::CallbackInfo& info) {
  return LimitObject(info.Env(), CurrentLimit(info.Env()));
}

Napi::Value RaiseFdLimit(const Napi::CallbackInfo& info) {
  rlim_t wanted = static_cast<rlim_t>(IntegerArgument(info, 0, "wanted", 0, (int64_t{1} << 53) - 1));
  rlimit limit = CurrentLimit(info.Env());
  rlim_t target = std::min(wanted, limit.rlim_max);
  if (target > limit.rlim_cur) {
    limit.rlim_cur = target;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ThrowErrno(info.Env(), errno, "setrlimit");
  }
  return LimitObject(info.Env(), CurrentLimit(info.Env()));
}

Napi::Value KeepFreedMemory(const Napi::CallbackInfo& info) {
  int bytes = static_cast<int>(IntegerArgument(info, 0, "bytes", 0, INT32_MAX));
#ifdef M_TRIM_THRESHOLD
  ::mallopt(M_TRIM_THRESHOLD, bytes);
#else
  static_cast<void>(bytes);  // another C library, another allocator
#endif
  return info.Env().Undefined();
}

}  // namespace

void InitProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("setRealtime", Napi::Function::New(env, SetRealtime, "setRealtime"));
  exports.Set("getFdLimit", Napi::Function::New(env, GetFdLimit, "getFdLimit"));
  exports.Set("keepFreedMemory", Napi::Function::New(env, KeepFreedMemory, "keepFreedMemory"));
  exports.Set("raiseFdLimit", Napi::Function::New(env, RaiseFdLimit, "raiseFdLimit"));
}

}  // namespace tandem
