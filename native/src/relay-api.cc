// The relay as JavaScript sees it: arguments are checked here, once; a handle that is stale is never an error.
#include <cerrno>
#include <limits>

#include "relay-args.h"
#include "relay-loop.h"

namespace tandem {
namespace {

using Loop = std::shared_ptr<RelayLoop>;

Connection* FindHandle(const Loop& loop, const Napi::CallbackInfo& info) {
  return tandem::FindHandle<ConnectionTable>(loop, info);
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

Napi::Value OpenRelay(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  RelayOptions options = RelayOptionsOf(info);
  Loop loop = RelayLoop::Open(env, options.totals, options.events, options.listener);
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
