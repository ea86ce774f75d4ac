// What every file of the addon shares: errors as JavaScript sees them, checked arguments, owned descriptors.
//
// The addon keeps no global state, so that it can be loaded by the main thread, by worker threads and by
// child processes alike. It makes system calls, moves bytes and decides nothing.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "unique-fd.h"

namespace tandem {

/// Throws an Error with `code` (errno name), `errno` and `syscall`, worded as Node words its own.
[[noreturn]] void ThrowErrno(Napi::Env env, int error, const char* syscall, const std::string& detail = "");

/// A property that must be an integer from `min` to `max`; throws a TypeError or RangeError naming it.
int64_t IntegerProperty(const Napi::Object& object, const char* key, int64_t min, int64_t max);
/// The same for a positional argument called `name` in the error.
int64_t IntegerArgument(const Napi::CallbackInfo& info, size_t index, const char* name, int64_t min, int64_t max);
std::string StringProperty(const Napi::Object& object, const char* key);
bool BooleanProperty(const Napi::Object& object, const char* key);
Napi::Object ObjectArgument(const Napi::CallbackInfo& info, size_t index, const char* name);
Napi::Function FunctionArgument(const Napi::CallbackInfo& info, size_t index, const char* name);
/// A view of a Uint8Array (or Buffer); valid while the value is.
struct Bytes {
  const uint8_t* data;
  size_t size;
};
Bytes BytesOf(const Napi::Value& value, const char* name);
/// An IP address: 4 or 16 bytes.
Bytes AddressProperty(const Napi::Object& object, const char* key);

/// A new Uint8Array with a copy of these bytes.
Napi::Uint8Array CopyBytes(Napi::Env env, const void* data, size_t size);

/// setsockopt with an int; throws with `name` in the message.
void SetOption(Napi::Env env, int fd, int level, int option, int value, const char* name);

void InitListeners(Napi::Env env, Napi::Object exports);
void InitNetlink(Napi::Env env, Napi::Object exports);
void InitPacket(Napi::Env env, Napi::Object exports);
void InitRoutes(Napi::Env env, Napi::Object exports);
void InitMacvlan(Napi::Env env, Napi::Object exports);
void InitRaw6(Napi::Env env, Napi::Object exports);
void InitProcess(Napi::Env env, Napi::Object exports);
void InitUnixDatagram(Napi::Env env, Napi::Object exports);
void InitRelay(Napi::Env env, Napi::Object exports);
void InitUdp(Napi::Env env, Napi::Object exports);

}  // namespace tandem
