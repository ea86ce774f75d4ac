#include "common.h"

#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cmath>
#include <cstring>

namespace tandem {

void ThrowErrno(Napi::Env env, int error, const char* syscall, const std::string& detail) {
  char name[64];
  char text[128];
  uv_err_name_r(-error, name, sizeof name);
  uv_strerror_r(-error, text, sizeof text);
  std::string message = std::string(name) + ": " + text + ", " + syscall;
  if (!detail.empty()) message += " " + detail;
  Napi::Error thrown = Napi::Error::New(env, message);
  thrown.Set("code", Napi::String::New(env, name));
  thrown.Set("errno", Napi::Number::New(env, -error));
  thrown.Set("syscall", Napi::String::New(env, syscall));
  throw thrown;
}

namespace {

int64_t CheckedInteger(const Napi::Value& value, const char* name, int64_t min, int64_t max) {
  Napi::Env env = value.Env();
  if (!value.IsNumber()) throw Napi::TypeError::New(env, std::string(name) + " must be a number");
  double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= static_cast<double>(min) && number <= static_cast<double>(max)) ||
      number != std::floor(number)) {
    throw Napi::RangeError::New(env, std::string(name) + " must be an integer from " + std::to_string(min) +
                                         " to " + std::to_string(max));
  }
  return static_cast<int64_t>(number);
}

}  // namespace

int64_t IntegerProperty(const Napi::Object& object, const char* key, int64_t min, int64_t max) {
  return CheckedInteger(object.Get(key), key, min, max);
}

int64_t IntegerArgument(const Napi::CallbackInfo& info, size_t index, const char* name, int64_t min,
                        int64_t max) {
  return CheckedInteger(info[index], name, min, max);
}

std::string StringProperty(const Napi::Object& object, const char* key) {
  Napi::Value value = object.Get(key);
  if (!value.IsString()) throw Napi::TypeError::New(object.Env(), std::string(key) + " must be a string");
  return value.As<Napi::String>().Utf8Value();
}

bool BooleanProperty(const Napi::Object& object, const char* key) {
  Napi::Value value = object.Get(key);
  if (!value.IsBoolean()) throw Napi::TypeError::New(object.Env(), std::string(key) + " must be a boolean");
  return value.As<Napi::Boolean>().Value();
}

Napi::Object ObjectArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsObject()) throw Napi::TypeError::New(info.Env(), std::string(name) + " must be an object");
  return info[index].As<Napi::Object>();
}

Napi::Function FunctionArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsFunction()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a function");
  }
  return info[index].As<Napi::Function>();
}

Bytes BytesOf(const Napi::Value& value, const char* name) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(value.Env(), std::string(name) + " must be a Uint8Array");
  }
  Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

Bytes AddressProperty(const Napi::Object& object, const char* key) {
  Bytes bytes = BytesOf(object.Get(key), key);
  if (bytes.size != 4 && bytes.size != 16) {
    throw Napi::RangeError::New(object.Env(), std::string(key) + " must have 4 or 16 bytes");
  }
  return bytes;
}

Napi::Uint8Array CopyBytes(Napi::Env env, const void* data, size_t size) {
  Napi::Uint8Array copy = Napi::Uint8Array::New(env, size);
  if (size > 0) std::memcpy(copy.Data(), data, size);
  return copy;
}

void SetOption(Napi::Env env, int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) {
    ThrowErrno(env, errno, "setsockopt", name);
  }
}

}  // namespace tandem
