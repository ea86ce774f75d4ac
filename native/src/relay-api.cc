// The relay as JavaScript sees it: arguments are checked here, once; a handle that is stale is never an error.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "relay-loop.h"

namespace tandem {
namespace {

using Loop = std::shared_ptr<RelayLoop>;

constexpr size_t kMinEventWords = 16 * sizeof(RelayEvent) / sizeof(int32_t);
constexpr double kIndices = ConnectionTable::kMaxConnections;
constexpr double kHandles = kIndices * (ConnectionTable::kGenerationMask + 1.0);

/// generation * 2^22 + index; null for whatever is not the handle of a live connection.
Connection* FindHandle(const Loop& loop, const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "handle must be a number");
  double handle = info[0].As<Napi::Number>().DoubleValue();
  if (!(handle >= 0 && handle < kHandles) || handle != std::floor(handle)) {
    throw Napi::RangeError::New(info.Env(), "handle must be one that an event gave");
  }
  auto bits = static_cast<uint64_t>(handle);
  auto index = static_cast<uint32_t>(bits & (ConnectionTable::kMaxConnections - 1));
  return loop->relay().Find(index, static_cast<uint32_t>(bits >> ConnectionTable::kIndexBits));
}

bool BooleanArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsBoolean()) throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a boolean");
  return info[index].As<Napi::Boolean>().Value();
}

/// A route as JavaScript packs it, once for each backend: family, port, flags, four cells, the address.
constexpr size_t kRouteWords = 11;

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

Napi::Value AddListener(const Loop& loop, const Napi::CallbackInfo& info) {
  int fd = static_cast<int>(IntegerArgument(info, 0, "fd", 3, INT32_MAX));
  int64_t id = loop->relay().AddListener(fd, BooleanArgument(info, 1, "wantLocal"));
  if (id < 0) ThrowErrno(info.Env(), static_cast<int>(-id), "listener");
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

Napi::Value SetAccepting(const Loop& loop, const Napi::CallbackInfo& info) {
  auto id = static_cast<uint32_t>(IntegerArgument(info, 0, "listener", 0, INT32_MAX));
  bool accepting = BooleanArgument(info, 1, "accepting");
  return Napi::Boolean::New(info.Env(), loop->relay().SetAccepting(id, accepting));
}

Napi::Value RemoveListener(const Loop& loop, const Napi::CallbackInfo& info) {
  auto id = static_cast<uint32_t>(IntegerArgument(info, 0, "listener", 0, INT32_MAX));
  return Napi::Boolean::New(info.Env(), loop->relay().RemoveListener(id));
}

Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be a Uint8Array");
  }
  return value.As<Napi::Uint8Array>();
}

Napi::Value Peek(const Loop& loop, const Napi::CallbackInfo& info) {
  Connection* connection = FindHandle(loop, info);
  return Napi::Boolean::New(info.Env(), connection != nullptr && loop->relay().Peek(connection));
}

Napi::Value Look(const Loop& loop, const Napi::CallbackInfo& info) {
  Napi::Uint8Array into = BytesArgument(info, 1, "into");
  Connection* connection = FindHandle(loop, info);
  ssize_t got = connection == nullptr ? -EINVAL
                                      : loop->relay().Look(connection, into.Data(), into.ElementLength());
  return Napi::Number::New(info.Env(), static_cast<double>(got));
}

Napi::Value Take(const Loop& loop, const Napi::CallbackInfo& info) {
  auto size = static_cast<size_t>(IntegerArgument(info, 1, "length", 0, INT32_MAX));
  Connection* connection = FindHandle(loop, info);
  return Napi::Boolean::New(info.Env(), connection != nullptr && loop->relay().Take(connection, size));
}

/// False for null. The address must be of the route's family.
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

/// Far more than any header needs.
constexpr size_t kMaxHead = 64 * 1024;

Napi::Value Connect(const Loop& loop, const Napi::CallbackInfo& info) {
  Route route = RouteArgument(info, 1, loop->relay().totalsSize());
  const uint8_t* head = nullptr;
  size_t headSize = 0;
  if (!info[2].IsNull()) {
    auto bytes = BytesArgument(info, 2, "head");
    head = bytes.Data();
    headSize = bytes.ElementLength();
    if (headSize > kMaxHead) throw Napi::RangeError::New(info.Env(), "head is too long");
  }
  Source source;
  bool given = SourceArgument(info, 3, route, &source);
  Connection* connection = FindHandle(loop, info);
  bool done = connection != nullptr &&
              loop->relay().Connect(connection, route, head, headSize, given ? &source : nullptr);
  loop->Stir();
  return Napi::Boolean::New(info.Env(), done);
}

Napi::Value Abandon(const Loop& loop, const Napi::CallbackInfo& info) {
  Connection* connection = FindHandle(loop, info);
  return Napi::Boolean::New(info.Env(), connection != nullptr && loop->relay().Abandon(connection));
}

Napi::Value CloseConnection(const Loop& loop, const Napi::CallbackInfo& info) {
  bool reset = BooleanArgument(info, 1, "reset");
  Connection* connection = FindHandle(loop, info);
  if (connection != nullptr) loop->relay().Close(connection, reset);
  loop->Stir();
  return Napi::Boolean::New(info.Env(), connection != nullptr);
}

Napi::Value Drop(const Loop& loop, const Napi::CallbackInfo& info) {
  Connection* connection = FindHandle(loop, info);
  if (connection != nullptr) loop->relay().Drop(connection);
  return Napi::Boolean::New(info.Env(), connection != nullptr);
}

Napi::Value Activity(const Loop& loop, const Napi::CallbackInfo& info) {
  Connection* connection = FindHandle(loop, info);
  double when = connection == nullptr ? std::numeric_limits<double>::quiet_NaN() : connection->activity;
  return Napi::Number::New(info.Env(), when);
}

Napi::Value Tick(const Loop& loop, const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "now must be a number");
  loop->relay().Tick(info[0].As<Napi::Number>().DoubleValue());
  return info.Env().Undefined();
}

Napi::Value Close(const Loop& loop, const Napi::CallbackInfo& info) {
  loop->Close();
  return info.Env().Undefined();
}

template <typename View>
View ViewProperty(const Napi::Object& object, const char* key, napi_typedarray_type type, const char* wanted) {
  Napi::Value value = object.Get(key);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Napi::TypeError::New(object.Env(), std::string(key) + " must be a " + wanted);
  }
  return value.As<View>();
}

Napi::Value OpenRelay(const Napi::CallbackInfo& info) {
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
  Loop loop = RelayLoop::Open(env, totals, events, listener);
  Napi::Object object = Napi::Object::New(env);
  auto add = [&](const char* name, Napi::Value (*method)(const Loop&, const Napi::CallbackInfo&)) {
    auto call = [loop, method](const Napi::CallbackInfo& each) { return method(loop, each); };
    object.Set(name, Napi::Function::New(env, call, name));
  };
  add("addListener", AddListener);
  add("setAccepting", SetAccepting);
  add("removeListener", RemoveListener);
  add("peek", Peek);
  add("look", Look);
  add("take", Take);
  add("connect", Connect);
  add("abandon", Abandon);
  add("closeConnection", CloseConnection);
  add("drop", Drop);
  add("activity", Activity);
  add("tick", Tick);
  add("close", Close);
  return object;
}

}  // namespace

void InitRelay(Napi::Env env, Napi::Object exports) {
  exports.Set("openRelay", Napi::Function::New(env, OpenRelay, "openRelay"));
}

}  // namespace tandem
