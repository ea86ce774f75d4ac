// The TCP relay: accepts, connects and moves bytes. It decides nothing: it tells of what happened in events,
// and does what it is told. Knows nothing of JavaScript; relay-loop.h puts it on an event loop.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "relay-event.h"
#include "relay-pipes.h"
#include "relay-route.h"
#include "relay-table.h"
#include "unique-fd.h"

namespace tandem {

enum class PeekState : int32_t {
  kOpen = 0,
  /// The client has sent FIN.
  kEnded = 1,
  /// It has reset the connection.
  kReset = 2,
};

enum class CloseCode : int32_t {
  /// By `Close`.
  kTold = 0,
  kDone = 1,
  kClientReset = 2,
  kClientError = 3,
  kBackendReset = 4,
  kBackendError = 5,
};

class Relay {
 public:
  using Sink = EventSink;

  /// @param totals cells that bytes are added to; must outlive the relay
  Relay(double* totals, size_t totalsSize, Sink* sink);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// 0, or the errno of what failed; to be called first.
  int Open();
  /// Resets every connection and closes every listener. Idempotent.
  void Shut();
  /// Readable when `Turn` has something to do.
  int fd() const { return epoll_.get(); }
  bool open() const { return epoll_.get() >= 0; }

  /// One bounded round of work.
  void Turn();
  /// True when there is work that the descriptor does not show: call `Turn` again soon.
  bool Restless() const { return open() && (!ready_.empty() || HasEvents()); }
  /// The time that bytes are stamped with from now on. Also gives listeners that failed another chance.
  void Tick(double now);

  /// Takes the descriptor of a listening socket; a negative errno when it is none.
  /// With `wantLocal` each client's event has the address that it wrote to (for a wildcard listener).
  int64_t AddListener(int fd, bool wantLocal);
  /// Those who come meanwhile wait in the kernel's backlog.
  bool SetAccepting(uint32_t id, bool accepting);
  bool RemoveListener(uint32_t id);

  /// kPeekable follows, whenever the client sends something. False unless the client is held.
  bool Peek(Connection* connection);
  /// Copies the first bytes that the client has sent: how many, 0 at its end, or a negative errno (-EAGAIN: none yet).
  ssize_t Look(Connection* connection, uint8_t* into, size_t size);
  /// The end of peeking: the first `size` bytes, which were seen, are gone, and the client is held. False otherwise.
  bool Take(Connection* connection, size_t size);
  /// kConnected or kConnectFailed follows. False unless the client is held.
  /// @param head goes to the backend before the client's bytes
  /// @param source where to leave from, of the route's family; null lets the kernel choose
  bool Connect(Connection* connection, const Route& route, const uint8_t* head, size_t headSize,
               const Source* source);
  /// Gives up a connect attempt; the client is held again. False when it is over already.
  bool Abandon(Connection* connection);
  /// kClosed follows. Without `reset` the ends get FIN, unless bytes that were read have not been written.
  void Close(Connection* connection, bool reset);
  /// Resets the client; nothing follows.
  void Drop(Connection* connection);
  Connection* Find(uint32_t index, uint32_t generation) { return table_.Find(index, generation); }

  bool HasEvents() const { return !events_.empty(); }
  /// Moves up to `max` of the oldest events out.
  size_t TakeEvents(RelayEvent* into, size_t max) { return events_.Take(into, max); }
  size_t totalsSize() const { return totalsSize_; }
  /// Of the bytes that were moved, those that were not copied.
  double spliced() const { return spliced_; }

 private:
  /// Marks a listener in what epoll gives back.
  static constexpr uint64_t kListenerBit = 1ull << 63;
  /// Beside it; then come 30 bits of generation and 32 of index.
  static constexpr uint64_t kBackendBit = 1ull << 62;
  /// What an end is watched for, and what of that sets its `readOn`.
  static constexpr uint32_t kEvents = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  static constexpr uint32_t kReadOn = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  /// One read(2); a bulk transfer wants it large.
  static constexpr size_t kBufferSize = 256 * 1024;

  struct Listener {
    UniqueFd fd;
    bool wantLocal = false;
    bool accepting = true;
    /// Failed, not watched until the next tick.
    bool suspended = false;
  };
  struct ReadyEntry {
    uint32_t index;
    uint32_t generation;
    Side side;
  };

  static uint64_t EpollData(const Connection* connection, Side side) {
    return (side == kBackend ? kBackendBit : 0) | (static_cast<uint64_t>(connection->generation) << 32) |
           connection->index;
  }

  void Dispatch(const epoll_event& event);
  void OnListener(uint32_t id);
  void OnPeeking(Connection* connection, uint32_t events);
  void OnConnecting(Connection* connection, uint32_t events);
  void OnOpen(Connection* connection, Side side, uint32_t events);

  bool Watch(int fd, uint32_t events, uint64_t data);
  void WatchListener(uint32_t id, Listener& listener);
  void UnwatchListener(Listener& listener);
  void AcceptFailed(uint32_t id, int error);
  bool TurnAwayWithReserve(int listener);
  void Accepted(uint32_t id, const Listener& listener, int fd, const sockaddr_storage& peer);

  void Established(Connection* connection);
  void ConnectFailed(Connection* connection, int error);
  void Pump(Connection* connection, Side from);
  bool Write(Connection* connection, Side to, const uint8_t* data, size_t size);
  bool Hold(End& end, const uint8_t* data, size_t size);
  bool WritePending(Connection* connection, Side to);
  bool WriteOwed(Connection* connection, Side to);
  enum class Spliced { kMoved, kNothing, kGone };
  Spliced Splice(Connection* connection, Side from);
  bool WritePipe(Connection* connection, Side to);
  void Count(Connection* connection, Side from, size_t bytes);
  void EndOfStream(Connection* connection, Side from);
  void Fail(Connection* connection, Side side, int error);
  void Finish(Connection* connection, CloseCode code, bool reset);
  void CloseEnds(Connection* connection, bool reset);
  void DropPending(End& end);
  void MakeReady(Connection* connection, Side side);
  void RunReady();
  size_t ReadLimit() const;
  RelayEvent& Push(EventType type, const Connection* connection, int32_t value);

  UniqueFd epoll_;
  UniqueFd reserve_;
  double* totals_;
  size_t totalsSize_;
  Sink* sink_;
  double now_ = 0;
  /// Bytes that this turn may still move.
  size_t budget_ = 0;
  /// In all `Pending`s.
  size_t pendingBytes_ = 0;
  std::unique_ptr<uint8_t[]> buffer_;
  PipePool pipes_;
  /// Bytes that were moved without being copied.
  double spliced_ = 0;
  ConnectionTable table_;
  std::unordered_map<uint32_t, Listener> listeners_;
  uint32_t nextListener_ = 0;
  std::vector<ReadyEntry> ready_;
  EventQueue events_;
};

}  // namespace tandem
