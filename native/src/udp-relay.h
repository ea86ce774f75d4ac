// The UDP relay: moves the datagrams of known clients, and tells of those that somebody has to decide about. Knows nothing
// of JavaScript; relay-loop.h puts it on an event loop.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "relay-event.h"
#include "relay-route.h"
#include "udp-batch.h"
#include "udp-session.h"
#include "unique-fd.h"

struct epoll_event;

namespace tandem {

class UdpRelay {
 public:
  /// @param totals cells that datagrams and bytes are added to; must outlive the relay
  UdpRelay(double* totals, size_t totalsSize, EventSink* sink);
  ~UdpRelay();
  UdpRelay(const UdpRelay&) = delete;
  UdpRelay& operator=(const UdpRelay&) = delete;

  /// 0, or the errno of what failed; to be called first.
  int Open();
  /// Closes every socket. Idempotent.
  void Shut();
  /// Readable when `Turn` has something to do.
  int fd() const { return epoll_.get(); }
  bool open() const { return epoll_.get() >= 0; }

  /// One bounded round of work.
  void Turn();
  /// True when there is work that the descriptor does not show: call `Turn` again soon.
  bool Restless() const { return open() && HasEvents(); }
  /// The time that sessions are stamped with from now on.
  void Tick(double now) { now_ = now; }

  /// A service. The cells must be of the totals. A negative errno when the relay is closed.
  int64_t AddGroup(uint32_t datagramsIn, uint32_t datagramsOut, uint32_t dropped);
  /// Ends its sessions and closes its listeners.
  bool RemoveGroup(uint32_t id);
  /// Every session of the group asks with its next datagram (kAsked).
  bool AskAll(uint32_t id);
  /// The one not used for longest; null for none.
  UdpSession* Oldest(uint32_t id);

  /// Takes the descriptor of a bound UDP socket; a negative errno when it is none.
  /// @param wildcard clients are told apart by the address that they wrote to, and answered from it
  int64_t AddListener(uint32_t group, int fd, bool wildcard);
  /// Its sessions stay, and are not answered.
  bool RemoveListener(uint32_t id);

  /// Gives the session a socket of its own to a backend, in place of the one it has. The datagram that waits goes there.
  /// @param source where to leave from, of the route's family; null lets the kernel choose
  /// @return 0 or an errno: the session stays, without a backend, and asks again
  int Connect(UdpSession* session, const Route& route, const Source* source);
  /// The session goes on as it is. False when it has no backend.
  bool Keep(UdpSession* session);
  /// Ends it; nothing follows. A datagram that waits is lost and not counted here.
  void Drop(UdpSession* session);
  UdpSession* Find(uint32_t index, uint32_t generation) { return table_.Find(index, generation); }

  bool HasEvents() const { return !events_.empty(); }
  /// Moves up to `max` of the oldest events out.
  size_t TakeEvents(RelayEvent* into, size_t max) { return events_.Take(into, max); }
  size_t totalsSize() const { return totalsSize_; }
  /// How many times several datagrams were received as one.
  uint64_t trains() const { return trains_; }

 private:
  /// Marks a listener in what epoll gives back; else there are 30 bits of generation and 32 of index.
  static constexpr uint64_t kListenerBit = 1ull << 63;

  struct Listener {
    UniqueFd fd;
    UdpGroup* group = nullptr;
    bool wildcard = false;
  };
  struct Waiting {
    uint32_t index;
    uint32_t generation;
    int slot;
  };

  void Dispatch(const epoll_event& event);
  bool Watch(int fd, uint64_t data);
  Listener* FindListener(uint32_t id);

  // from clients
  void OnListener(uint32_t id);
  bool Distribute(uint32_t id, int count);
  UdpSession* SessionOf(uint32_t id, const Listener& listener, int slot);
  UdpSession* NewSession(uint32_t id, const Listener& listener, const SessionKey& key, int slot);
  bool MustAsk(const UdpSession* session) const;
  void Wait(UdpSession* session, int slot);
  bool Decide();
  void ToBackend(UdpSession* session, int from, int to);
  bool SendFailed(UdpSession* session, int message, int error, int* retried);

  // from backends
  void OnBackend(UdpSession* session);
  void TakeTrains(UdpSession* session);
  void ToClients();
  void SendReplies(uint32_t listener);

  void Touch(UdpSession* session);
  void Failed(UdpSession* session, int error);
  void Dropped(const UdpGroup* group, int datagrams) { totals_[group->dropped] += datagrams; }
  void Disconnect(UdpSession* session);
  RelayEvent& Push(EventType type, const UdpSession* session, int32_t value);

  UniqueFd epoll_;
  double* totals_;
  size_t totalsSize_;
  EventSink* sink_;
  double now_ = 0;
  /// Datagrams that this turn may still move.
  int budget_ = 0;
  DatagramBatch in_;
  std::vector<Waiting> waiting_;
  /// Replies until they are sent; no event is delivered while there are any.
  DatagramBatch out_;
  UdpSession* repliesOf_[DatagramBatch::kSlots] = {};
  int replies_ = 0;
  uint64_t trains_ = 0;
  Outbox outbox_;
  UdpSessionTable table_;
  SessionIndex index_;
  std::unordered_map<uint32_t, UdpGroup> groups_;
  std::unordered_map<uint32_t, Listener> listeners_;
  uint32_t nextGroup_ = 0;
  uint32_t nextListener_ = 0;
  EventQueue events_;
};

}  // namespace tandem
