// rtnetlink: macvlan interfaces, a second MAC address on a link.
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "netlink.h"

namespace tandem {
namespace {

/// An attribute whose payload is the attributes that `fill` appends.
template <typename Fill>
void AddNested(Request& request, uint16_t type, Fill fill) {
  size_t offset = NLMSG_ALIGN(request.header.nlmsg_len);
  AddAttribute(request, type, nullptr, 0);
  fill();
  auto* outer = reinterpret_cast<rtattr*>(reinterpret_cast<char*>(&request) + offset);
  outer->rta_len = static_cast<uint16_t>(request.header.nlmsg_len - offset);
}

Request LinkRequest(uint16_t type, int ifindex) {
  Request request{};
  request.header.nlmsg_type = type;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = ifindex;
  return request;
}

Napi::Value CreateMacvlan(const Napi::CallbackInfo& info) {
  Napi::Object options = ObjectArgument(info, 0, "options");
  std::string name = StringProperty(options, "name");
  if (name.empty() || name.size() >= IFNAMSIZ) {
    throw Napi::RangeError::New(info.Env(), "name must have 1 to 15 bytes");
  }
  Bytes mac = BytesOf(options.Get("mac"), "mac");
  if (mac.size != 6) throw Napi::RangeError::New(info.Env(), "mac must have 6 bytes");
  auto lower = static_cast<uint32_t>(IntegerProperty(options, "lower", 1, INT32_MAX));
  auto mode = static_cast<uint32_t>(IntegerProperty(options, "mode", 1, MACVLAN_MODE_BRIDGE));
  Request request = LinkRequest(RTM_NEWLINK, 0);
  request.header.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  AddAttribute(request, IFLA_IFNAME, name.c_str(), name.size() + 1);
  AddAttribute(request, IFLA_LINK, &lower, sizeof lower);
  AddAttribute(request, IFLA_ADDRESS, mac.data, mac.size);
  AddNested(request, IFLA_LINKINFO, [&] {
    static constexpr char kKind[] = "macvlan";
    AddAttribute(request, IFLA_INFO_KIND, kKind, sizeof kKind - 1);
    AddNested(request, IFLA_INFO_DATA, [&] { AddAttribute(request, IFLA_MACVLAN_MODE, &mode, sizeof mode); });
  });
  int error = Acknowledged(info.Env(), request, "RTM_NEWLINK");
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_NEWLINK", name);
  return info.Env().Undefined();
}

Napi::Value SetLink(const Napi::CallbackInfo& info) {
  auto ifindex = static_cast<int>(IntegerArgument(info, 0, "ifindex", 1, INT32_MAX));
  Napi::Object changes = ObjectArgument(info, 1, "changes");
  Request request = LinkRequest(RTM_NEWLINK, ifindex);
  if (!changes.Get("up").IsUndefined()) {
    request.link.ifi_change = IFF_UP;
    request.link.ifi_flags = BooleanProperty(changes, "up") ? IFF_UP : 0;
  }
  if (!changes.Get("alias").IsUndefined()) {
    std::string alias = StringProperty(changes, "alias");
    if (alias.size() > 64) throw Napi::RangeError::New(info.Env(), "alias must have at most 64 bytes");
    AddAttribute(request, IFLA_IFALIAS, alias.c_str(), alias.size());
  }
  int error = Acknowledged(info.Env(), request, "RTM_NEWLINK");
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_NEWLINK", "interface " + std::to_string(ifindex));
  return info.Env().Undefined();
}

Napi::Value RemoveLink(const Napi::CallbackInfo& info) {
  auto ifindex = static_cast<int>(IntegerArgument(info, 0, "ifindex", 1, INT32_MAX));
  Request request = LinkRequest(RTM_DELLINK, ifindex);
  int error = Acknowledged(info.Env(), request, "RTM_DELLINK");
  if (error == ENODEV) return Napi::Boolean::New(info.Env(), false);
  if (error != 0) ThrowErrno(info.Env(), error, "RTM_DELLINK", "interface " + std::to_string(ifindex));
  return Napi::Boolean::New(info.Env(), true);
}

}  // namespace

void InitMacvlan(Napi::Env env, Napi::Object exports) {
  exports.Set("createMacvlan", Napi::Function::New(env, CreateMacvlan, "createMacvlan"));
  exports.Set("setLink", Napi::Function::New(env, SetLink, "setLink"));
  exports.Set("removeLink", Napi::Function::New(env, RemoveLink, "removeLink"));
}

}  // namespace tandem
