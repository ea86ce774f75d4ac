// What the rtnetlink parts share: requests, dumps, bounds-checked attributes, monitors.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <functional>
#include <optional>

#include "common.h"
#include "poller.h"

namespace tandem {

using OnMessage = std::function<void(const nlmsghdr*)>;

struct Request {
  nlmsghdr header;
  union {
    ifaddrmsg address;
    ifinfomsg link;
    rtmsg route;
  };
  char attributes[256];
};

/// Appends an attribute; throws std::length_error when the request is full (a mistake of the caller).
void AddAttribute(Request& request, uint16_t type, const void* data, size_t size);

UniqueFd OpenNetlink(Napi::Env env, uint32_t groups);

/// One datagram from the kernel; its length, or -errno. Datagrams of other processes are skipped.
ssize_t Receive(int fd, void* buffer, size_t capacity, int flags);

/// Sends a request and waits for its acknowledgement; the kernel's errno, 0 when it agreed.
int Acknowledged(Napi::Env env, Request& request, const char* what);

/// Every attribute of a message, bounds-checked; unknown ones are skipped.
void ForEachAttribute(const void* first, int size, const std::function<void(const rtattr*)>& visit);

uint32_t U32(const rtattr* item, uint32_t otherwise);

/// What a message says, or nothing for one that is of no interest or too short.
using Parse = std::function<std::optional<Napi::Object>(Napi::Env, const nlmsghdr*)>;

Request DumpRequest(uint16_t type, size_t headerSize);

/// A whole consistent list; throws EAGAIN when it kept changing.
Napi::Value ListAll(Napi::Env env, const Request& request, const char* what, Parse parse);

/// Events of multicast groups for a JavaScript listener; `{ type: 'overrun' }` when some were lost.
Napi::Value OpenMonitor(Napi::Env env, uint32_t groups, const Napi::Function& listener, Parse eventOf);

}  // namespace tandem
