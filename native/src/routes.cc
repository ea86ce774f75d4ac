// rtnetlink: routes of one rtm_protocol. Those of others are never listed, changed or told.
#include <sys/socket.h>

#include <cerrno>

#include "netlink.h"

namespace tandem {
namespace {

/// What the kernel's own routes to an IPv6 address never have: ours is another beside them.
constexpr uint32_t kLocalMetric = 1024;

/// What RTM_NEWROUTE and RTM_DELROUTE have in common.
Request RouteRequest(const Napi::Object& route, uint16_t type) {
  Bytes destination = AddressProperty(route, "destination");
  auto table = static_cast<uint32_t>(IntegerProperty(route, "table", 1, UINT32_MAX));
  auto metric = static_cast<uint32_t>(IntegerProperty(route, "metric", 0, UINT32_MAX));
  Request request{};
  request.header.nlmsg_type = type;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
  request.route.rtm_family = destination.size == 4 ? AF_INET : AF_INET6;
  request.route.rtm_dst_len = static_cast<uint8_t>(
      IntegerProperty(route, "prefixLength", 0, static_cast<int64_t>(destination.size) * 8));
  request.route.rtm_protocol = static_cast<uint8_t>(IntegerProperty(route, "protocol", 1, 255));
  request.route.rtm_type = RTN_UNICAST;
  request.route.rtm_table = static_cast<uint8_t>(table < 256 ? table : 0U);
  if (request.route.rtm_dst_len > 0) AddAttribute(request, RTA_DST, destination.data, destination.size);
  AddAttribute(request, RTA_TABLE, &table, sizeof table);
  if (metric > 0) AddAttribute(request, RTA_PRIORITY, &metric, sizeof metric);
  return request;
}

std::string Describe(const Napi::Object& route) {
  return "/" + std::to_string(IntegerProperty(route, "prefixLength", 0, 128)) + " table " +
         std::to_string(IntegerProperty(route, "table", 1, UINT32_MAX));
}

void AddAddress(Request& request, uint16_t type, const Napi::Object& route, const char* key) {
  if (route.Get(key).IsNull()) return;
  Bytes address = AddressProperty(route, key);
  if ((address.size == 4) != (request.route.rtm_family == AF_INET)) {
    throw Napi::RangeError::New(route.Env(), std::string(key) + " must be of the destination's family");
  }
  AddAttribute(request, type, address.data, address.size);
}

Napi::Value AddRoute(const Napi::CallbackInfo& info) {
  Napi::Object route = ObjectArgument(info, 0, "route");
  Request request = RouteRequest(route, RTM_NEWROUTE);
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  request.route.rtm_scope = route.Get("gateway").IsNull() && request.route.rtm_family == AF_INET
                                ? RT_SCOPE_LINK
                                : RT_SCOPE_UNIVERSE;
  AddAddress(request, RTA_GATEWAY, route, "gateway");
  AddAddress(request, RTA_PREFSRC, route, "source");
  auto ifindex = static_cast<uint32_t>(IntegerProperty(route, "ifindex", 0, INT32_MAX));
  if (ifindex > 0) AddAttribute(request, RTA_OIF, &ifindex, sizeof ifindex);
  int error = Acknowledged(info.Env(), request, "RTM_NEWROUTE");
  if (error == EEXIST) return Napi::Boolean::New(info.Env(), false);
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_NEWROUTE", Describe(route));
  return Napi::Boolean::New(info.Env(), true);
}

Napi::Value RemoveRoute(const Napi::CallbackInfo& info) {
  Napi::Object route = ObjectArgument(info, 0, "route");
  Request request = RouteRequest(route, RTM_DELROUTE);
  request.route.rtm_scope = RT_SCOPE_NOWHERE;  // whichever it has
  int error = Acknowledged(info.Env(), request, "RTM_DELROUTE");
  if (error == ESRCH) return Napi::Boolean::New(info.Env(), false);
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_DELROUTE", Describe(route));
  return Napi::Boolean::New(info.Env(), true);
}

/// The delivery of one IPv6 address to this host: "local <address> dev <interface> table local".
Request LocalRouteRequest(const Napi::Object& route, uint16_t type) {
  Bytes address = AddressProperty(route, "address");
  if (address.size != 16) throw Napi::RangeError::New(route.Env(), "address must be of IPv6");
  auto ifindex = static_cast<uint32_t>(IntegerProperty(route, "ifindex", 1, INT32_MAX));
  uint32_t metric = kLocalMetric;
  Request request{};
  request.header.nlmsg_type = type;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
  request.route.rtm_family = AF_INET6;
  request.route.rtm_dst_len = 128;
  request.route.rtm_protocol = static_cast<uint8_t>(IntegerProperty(route, "protocol", 1, 255));
  request.route.rtm_type = RTN_LOCAL;
  request.route.rtm_table = RT_TABLE_LOCAL;
  AddAttribute(request, RTA_DST, address.data, address.size);
  AddAttribute(request, RTA_OIF, &ifindex, sizeof ifindex);
  AddAttribute(request, RTA_PRIORITY, &metric, sizeof metric);
  return request;
}

Napi::Value PutLocalRoute(const Napi::CallbackInfo& info) {
  Napi::Object route = ObjectArgument(info, 0, "route");
  Request request = LocalRouteRequest(route, RTM_NEWROUTE);
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
  auto lifetime = static_cast<uint32_t>(IntegerProperty(route, "lifetime", 1, INT32_MAX));
  AddAttribute(request, RTA_EXPIRES, &lifetime, sizeof lifetime);
  int error = Acknowledged(info.Env(), request, "RTM_NEWROUTE");
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_NEWROUTE", "table local");
  return info.Env().Undefined();
}

Napi::Value RemoveLocalRoute(const Napi::CallbackInfo& info) {
  Request request = LocalRouteRequest(ObjectArgument(info, 0, "route"), RTM_DELROUTE);
  int error = Acknowledged(info.Env(), request, "RTM_DELROUTE");
  if (error == ESRCH) return Napi::Boolean::New(info.Env(), false);
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_DELROUTE", "table local");
  return Napi::Boolean::New(info.Env(), true);
}

struct RouteFields {
  const void* destination = nullptr;
  const void* gateway = nullptr;
  const void* source = nullptr;
  uint32_t table = 0;
  uint32_t metric = 0;
  uint32_t ifindex = 0;
};

RouteFields ReadRoute(const nlmsghdr* message, const rtmsg* info, size_t size) {
  RouteFields fields;
  fields.table = info->rtm_table;
  ForEachAttribute(RTM_RTA(info), static_cast<int>(RTM_PAYLOAD(message)), [&](const rtattr* item) {
    bool isAddress = RTA_PAYLOAD(item) >= size;
    if (item->rta_type == RTA_DST && isAddress) fields.destination = RTA_DATA(item);
    if (item->rta_type == RTA_GATEWAY && isAddress) fields.gateway = RTA_DATA(item);
    if (item->rta_type == RTA_PREFSRC && isAddress) fields.source = RTA_DATA(item);
    if (item->rta_type == RTA_TABLE) fields.table = U32(item, fields.table);
    if (item->rta_type == RTA_PRIORITY) fields.metric = U32(item, 0);
    if (item->rta_type == RTA_OIF) fields.ifindex = U32(item, 0);
  });
  return fields;
}

/// A RouteInfo, or nothing for another protocol, another family, what is not unicast, a clone, or a message that is
/// too short.
std::optional<Napi::Object> RouteOf(Napi::Env env, const nlmsghdr* message, uint8_t protocol) {
  if (message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE) return std::nullopt;
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) return std::nullopt;
  auto* info = static_cast<const rtmsg*>(NLMSG_DATA(message));
  if (info->rtm_family != AF_INET && info->rtm_family != AF_INET6) return std::nullopt;
  if (info->rtm_protocol != protocol || info->rtm_type != RTN_UNICAST) return std::nullopt;
  if ((info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  size_t size = info->rtm_family == AF_INET ? 4 : 16;
  RouteFields fields = ReadRoute(message, info, size);
  static constexpr uint8_t kAny[16] = {};
  Napi::Object route = Napi::Object::New(env);
  auto address = [&](const void* data) -> Napi::Value {
    if (data == nullptr) return env.Null();
    return CopyBytes(env, data, size);
  };
  route.Set("destination", CopyBytes(env, fields.destination != nullptr ? fields.destination : kAny, size));
  route.Set("prefixLength", Napi::Number::New(env, info->rtm_dst_len));
  route.Set("table", Napi::Number::New(env, fields.table));
  route.Set("metric", Napi::Number::New(env, fields.metric));
  route.Set("protocol", Napi::Number::New(env, info->rtm_protocol));
  route.Set("ifindex", Napi::Number::New(env, fields.ifindex));
  route.Set("gateway", address(fields.gateway));
  route.Set("source", address(fields.source));
  return route;
}

Napi::Value ListRoutes(const Napi::CallbackInfo& info) {
  int64_t family = IntegerArgument(info, 0, "family", 4, 6);
  auto protocol = static_cast<uint8_t>(IntegerArgument(info, 1, "protocol", 1, 255));
  Request request = DumpRequest(RTM_GETROUTE, sizeof(rtmsg));
  request.route.rtm_family = family == 4 ? AF_INET : AF_INET6;
  request.route.rtm_protocol = protocol;
  return ListAll(info.Env(), request, "RTM_GETROUTE", [protocol](Napi::Env env, const nlmsghdr* message) {
    return RouteOf(env, message, protocol);
  });
}

Napi::Value MonitorRoutes(const Napi::CallbackInfo& info) {
  auto protocol = static_cast<uint8_t>(IntegerArgument(info, 0, "protocol", 1, 255));
  Napi::Function listener = FunctionArgument(info, 1, "listener");
  uint32_t groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  return OpenMonitor(info.Env(), groups, listener,
                     [protocol](Napi::Env env, const nlmsghdr* message) -> std::optional<Napi::Object> {
                       std::optional<Napi::Object> route = RouteOf(env, message, protocol);
                       if (!route) return std::nullopt;
                       Napi::Object event = Napi::Object::New(env);
                       event.Set("type", Napi::String::New(env, "route"));
                       event.Set("route", *route);
                       event.Set("removed", Napi::Boolean::New(env, message->nlmsg_type == RTM_DELROUTE));
                       return event;
                     });
}

}  // namespace

void InitRoutes(Napi::Env env, Napi::Object exports) {
  exports.Set("addRoute", Napi::Function::New(env, AddRoute, "addRoute"));
  exports.Set("removeRoute", Napi::Function::New(env, RemoveRoute, "removeRoute"));
  exports.Set("putLocalRoute", Napi::Function::New(env, PutLocalRoute, "putLocalRoute"));
  exports.Set("removeLocalRoute", Napi::Function::New(env, RemoveLocalRoute, "removeLocalRoute"));
  exports.Set("listRoutes", Napi::Function::New(env, ListRoutes, "listRoutes"));
  exports.Set("monitorRoutes", Napi::Function::New(env, MonitorRoutes, "monitorRoutes"));
}

}  // namespace tandem
