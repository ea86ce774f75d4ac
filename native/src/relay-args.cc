#include "relay-args.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "relay-event.h"

namespace tandem {
namespace {

constexpr size_t kMinEventWords = 16 * sizeof(RelayEvent) / sizeof(int32_t);
constexpr size_t kRouteWords = 11;

template <typename View>
View ViewProperty(const Napi::Object& object, const char* key, napi_typedarray_type type, const char* wanted) {
  Napi::Value value = object.Get(key);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Napi::TypeError::New(object.Env(), std::string(key) + " must be a " + wanted);
  }
  return value.As<View>();
}

}  // namespace

bool BooleanArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsBoolean()) throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a boolean");
  return info[index].As<Napi::Boolean>().Value();
}

Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a Uint8Array");
  }
  return value.As<Napi::Uint8Array>();
}

Route RouteArgument(const Napi::CallbackInfo& info, size_t at, size_t cellCount) {
  Napi::Env env = info.Env();
  const Napi::Value value = info[at];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array ||
      value.As<Napi::TypedArray>().ElementLength() != kRouteWords) {
    throw Napi::TypeError::New(env, "route must be a Uint32Array of 11 words");
  }
  uint32_t words[kRouteWords];
  std::memcpy(words, value.As<Napi::Uint32Array>().Data(), sizeof words);
  for (size_t i = 3; i < 7; ++i) {
    if (words[i] >= cellCount) throw Napi::RangeError::New(env, "route: no such cell in the totals");
  }
  if (words[1] == 0 || words[1] > 65535) throw Napi::RangeError::New(env, "route: port must be from 1 to 65535");
  Route route;
  auto port = htons(static_cast<uint16_t>(words[1]));
  if (words[0] == 4) {
    auto* address = reinterpret_cast<sockaddr_in*>(&route.address);
    address->sin_family = AF_INET;
    address->sin_port = port;
    std::memcpy(&address->sin_addr, &words[7], 4);
    route.length = sizeof(sockaddr_in);
  } else if (words[0] == 6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&route.address);
    address->sin6_family = AF_INET6;
    address->sin6_port = port;
    std::memcpy(&address->sin6_addr, &words[7], 16);
    route.length = sizeof(sockaddr_in6);
  } else {
    throw Napi::RangeError::New(env, "route: family must be 4 or 6");
  }
  route.noDelay = (words[2] & 1) != 0;
  route.keepAlive = (words[2] & 2) != 0;
  route.cells = {words[3], words[4], words[5], words[6]};
  return route;
}

bool SourceArgument(const Napi::CallbackInfo& info, size_t index, const Route& route, Source* source) {
  source->transparent = BooleanArgument(info, index + 1, "transparent");
  if (info[index].IsNull()) return false;
  Napi::Uint8Array bytes = BytesArgument(info, index, "source");
  const sa_family_t family = route.address.ss_family;
  if (bytes.ElementLength() != (family == AF_INET6 ? 16u : 4u)) {
    throw Napi::RangeError::New(info.Env(), "source must be an address of the route's family");
  }
  source->address.ss_family = family;
  source->length = route.length;
  if (family == AF_INET6) {
    std::memcpy(&reinterpret_cast<sockaddr_in6*>(&source->address)->sin6_addr, bytes.Data(), 16);
  } else {
    std::memcpy(&reinterpret_cast<sockaddr_in*>(&source->address)->sin_addr, bytes.Data(), 4);
  }
  return true;
}

RelayOptions RelayOptionsOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object options = ObjectArgument(info, 0, "options");
  Napi::Function listener = FunctionArgument(info, 1, "listener");
  auto totals = ViewProperty<Napi::Float64Array>(options, "totals", napi_float64_array, "Float64Array");
  // the relay keeps the address of the cells, so their memory must be of the kind that cannot be taken away
  if (totals.Get("buffer").IsArrayBuffer() || totals.ElementLength() == 0) {
    throw Napi::TypeError::New(env, "totals must be on a SharedArrayBuffer");
  }
  auto events = ViewProperty<Napi::Int32Array>(options, "events", napi_int32_array, "Int32Array");
  if (events.ElementLength() < kMinEventWords) {
    throw Napi::RangeError::New(env, "events must have at least " + std::to_string(kMinEventWords) + " words");
  }
  return {totals, events, listener};
}

}  // namespace tandem
