// The UDP relay as JavaScript sees it: arguments are checked here, once; a handle that is stale is never an error.
#include <cerrno>
#include <limits>

#include "relay-args.h"
#include "relay-loop.h"

namespace tandem {
// a name of its own: a test compiles this file together with relay-api.cc
namespace udp_api {
namespace {

using Loop = std::shared_ptr<UdpLoop>;

UdpSession* FindSession(const Loop& loop, const Napi::CallbackInfo& info) {
  return FindHandle<UdpSessionTable>(loop, info);
}

uint32_t IdArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  return static_cast<uint32_t>(IntegerArgument(info, index, name, 0, INT32_MAX));
}

Napi::Value AddGroup(const Loop& loop, const Napi::CallbackInfo& info) {
  auto last = static_cast<int64_t>(loop->relay().totalsSize()) - 1;
  uint32_t cells[3];
  const char* names[] = {"datagramsIn", "datagramsOut", "dropped"};
  for (size_t i = 0; i < 3; ++i) cells[i] = static_cast<uint32_t>(IntegerArgument(info, i, names[i], 0, last));
  int64_t id = loop->relay().AddGroup(cells[0], cells[1], cells[2]);
  if (id < 0) ThrowErrno(info.Env(), static_cast<int>(-id), "group");
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

Napi::Value RemoveGroup(const Loop& loop, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), loop->relay().RemoveGroup(IdArgument(info, 0, "group")));
}

Napi::Value AskAll(const Loop& loop, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), loop->relay().AskAll(IdArgument(info, 0, "group")));
}

Napi::Value Oldest(const Loop& loop, const Napi::CallbackInfo& info) {
  UdpSession* session = loop->relay().Oldest(IdArgument(info, 0, "group"));
  return Napi::Number::New(info.Env(), session == nullptr ? -1 : static_cast<double>(session->index));
}

Napi::Value AddListener(const Loop& loop, const Napi::CallbackInfo& info) {
  uint32_t group = IdArgument(info, 0, "group");
  int fd = static_cast<int>(IntegerArgument(info, 1, "fd", 3, INT32_MAX));
  int64_t id = loop->relay().AddListener(group, fd, BooleanArgument(info, 2, "wildcard"));
  if (id < 0) ThrowErrno(info.Env(), static_cast<int>(-id), "listener");
  return Napi::Number::New(info.Env(), static_cast<double>(id));
}

Napi::Value RemoveListener(const Loop& loop, const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), loop->relay().RemoveListener(IdArgument(info, 0, "listener")));
}

Napi::Value Connect(const Loop& loop, const Napi::CallbackInfo& info) {
  Route route = RouteArgument(info, 1, loop->relay().totalsSize());
  Source source;
  bool given = SourceArgument(info, 2, route, &source);
  UdpSession* session = FindSession(loop, info);
  int error = session == nullptr ? ESTALE : loop->relay().Connect(session, route, given ? &source : nullptr);
  return Napi::Number::New(info.Env(), error);
}

Napi::Value Keep(const Loop& loop, const Napi::CallbackInfo& info) {
  UdpSession* session = FindSession(loop, info);
  return Napi::Boolean::New(info.Env(), session != nullptr && loop->relay().Keep(session));
}

Napi::Value Drop(const Loop& loop, const Napi::CallbackInfo& info) {
  UdpSession* session = FindSession(loop, info);
  if (session != nullptr) loop->relay().Drop(session);
  return Napi::Boolean::New(info.Env(), session != nullptr);
}

Napi::Value Activity(const Loop& loop, const Napi::CallbackInfo& info) {
  UdpSession* session = FindSession(loop, info);
  double when = session == nullptr ? std::numeric_limits<double>::quiet_NaN() : session->activity;
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

Napi::Value OpenUdpRelay(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  RelayOptions options = RelayOptionsOf(info);
  Loop loop = UdpLoop::Open(env, options.totals, options.events, options.listener);
  Napi::Object object = Napi::Object::New(env);
  auto add = [&](const char* name, Napi::Value (*method)(const Loop&, const Napi::CallbackInfo&)) {
    auto call = [loop, method](const Napi::CallbackInfo& each) { return method(loop, each); };
    object.Set(name, Napi::Function::New(env, call, name));
  };
  add("addGroup", AddGroup);
  add("removeGroup", RemoveGroup);
  add("askAll", AskAll);
  add("oldest", Oldest);
  add("addListener", AddListener);
  add("removeListener", RemoveListener);
  add("connect", Connect);
  add("keep", Keep);
  add("drop", Drop);
  add("activity", Activity);
  add("tick", Tick);
  add("close", Close);
  return object;
}

}  // namespace
}  // namespace udp_api

void InitUdp(Napi::Env env, Napi::Object exports) {
  exports.Set("openUdpRelay", Napi::Function::New(env, udp_api::OpenUdpRelay, "openUdpRelay"));
}

}  // namespace tandem
