// What relays tell of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tandem {

enum class EventType : int32_t {
  /// A client; `value` is the listener.
  kAccepted = 1,
  kConnected = 2,
  /// `value` is an errno. The client is untouched.
  kConnectFailed = 3,
  /// FIN from one side has been passed on; `value` is the side.
  kEnded = 4,
  /// Both sockets are closed and the handle is stale; `value` is a CloseCode, `extra` whether the backend answered.
  kClosed = 5,
  /// accept(2) failed: `index` is the listener, `value` an errno.
  kAcceptFailed = 6,
  /// There is more to look at than before, or no more to come; `value` is a PeekState.
  kPeekable = 7,

  // UDP. The first two are for `Connect`, `Keep` or `Drop` to answer, before the call that tells of them returns.
  /// A datagram from a client without a session; as kAccepted.
  kArrived = 8,
  /// A datagram of a session about which something is to be decided first.
  kAsked = 9,
  /// The first datagram from a session's backend.
  kAnswered = 10,
  /// `value` is an errno: of an ICMP message, or the socket's own. The session stays, and asks before it goes on.
  kFailed = 11,
};

/// As JavaScript reads it: 16 words.
struct RelayEvent {
  EventType type;
  uint32_t index;
  uint32_t generation;
  int32_t value;
  /// kAccepted: the client's port.
  int32_t extra;
  /// kAccepted: 4 or 6.
  int32_t family;
  uint8_t peer[16];
  /// kAccepted on a listener that asked for it; else zeros.
  uint8_t local[16];
  int32_t unused[2];
};
static_assert(sizeof(RelayEvent) == 64, "JavaScript counts on it");

/// Takes the events that have gathered; called where a relay may be used in any way, even closed.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Deliver() = 0;
};

class EventQueue {
 public:
  bool empty() const { return events_.empty(); }
  void Clear() { events_.clear(); }
  RelayEvent& Push(const RelayEvent& event) {
    events_.push_back(event);
    return events_.back();
  }
  /// Moves up to `max` of the oldest out.
  size_t Take(RelayEvent* into, size_t max) {
    size_t count = std::min(max, events_.size());
    std::copy_n(events_.begin(), count, into);
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }

 private:
  std::vector<RelayEvent> events_;
};

}  // namespace tandem
